"""Speaks with Microsoft: Entra ID, Microsoft Graph and the Reporting Web Service."""
