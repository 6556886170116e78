"""The lab: one guest machine, in which every device runs real software in namespaces of its own."""
