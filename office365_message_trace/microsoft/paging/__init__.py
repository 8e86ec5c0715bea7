"""The way through a window: which request comes next, and when the window is complete. Pure, no I/O."""
