"""Microsoft's side: Entra ID, Microsoft Graph and the Reporting Web Service, and the tenant's request quota."""
