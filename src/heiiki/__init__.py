"""Heiiki (closed network): from a written demand-response service to a working, proven network."""

__all__ = ["__version__"]

__version__ = "0.2.0"
