"""The Vault server: sessions, log-ins, what it should hold, and how it is made to hold it."""
