"""The command line: finds faults, shows a trigger's progress and Microsoft's rows, and sends rows again."""
