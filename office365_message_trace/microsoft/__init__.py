"""Microsoft's message trace services, and what they need: sign-in, requests, time."""
