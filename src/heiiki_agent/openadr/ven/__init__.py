"""The VEN: answers each version of an event, has it done once, and sends until it is acknowledged."""
