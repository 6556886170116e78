"""Devices at the command line: drivers that are data (`drivers`), and one way to use them (`session`)."""
