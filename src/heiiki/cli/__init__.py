"""The command `heiiki`."""

from heiiki.cli.main import main

__all__ = ["main"]
