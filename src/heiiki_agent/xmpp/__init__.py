"""XMPP (RFC 6120): a client that its certificate logs in, and the proof of a server."""
