"""The collector: decides what to read next, and remembers what was read and forwarded."""
