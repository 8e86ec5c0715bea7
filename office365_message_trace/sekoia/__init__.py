"""Sekoia.io's side: the intake that takes the events."""
