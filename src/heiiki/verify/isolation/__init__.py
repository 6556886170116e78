"""Isolation: packets that must not arrive, and those that prove that the senders work."""
