"""What concerns Sekoia.io: its intake."""
