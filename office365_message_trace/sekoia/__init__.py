"""Sekoia.io's side: the intake that takes the events, and what the platform hands over."""
