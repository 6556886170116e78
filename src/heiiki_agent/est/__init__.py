"""A registration authority for devices that speak EST (RFC 7030, RFC 8951), in front of a Vault server."""
