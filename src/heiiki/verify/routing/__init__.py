"""Routing: what daemons say of their sessions, against what the plan expects."""
