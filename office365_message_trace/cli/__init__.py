"""The command line: finding out what is wrong, how far the trigger is, and what Microsoft has."""
