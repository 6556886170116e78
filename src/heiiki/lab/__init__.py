"""The lab: one guest machine in which every device of a service runs as a network namespace with real software."""
