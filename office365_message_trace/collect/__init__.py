"""Decides what to read next, and remembers what was read and forwarded."""
