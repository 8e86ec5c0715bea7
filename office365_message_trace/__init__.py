"""Collects Microsoft 365 message trace rows and forwards them to a Sekoia.io intake, losing none."""
