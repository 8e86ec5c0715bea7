"""The command line: finds faults, shows how far a trigger has come and what Microsoft has, and sends it again."""
