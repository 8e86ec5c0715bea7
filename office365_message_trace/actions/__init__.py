"""Answers questions about the mail of a tenant, for playbooks and the command line."""
