"""The guest's kernel: built once from Debian's source, cached, and tested by booting it."""

from heiiki_lab.kernel.builder import ensure
from heiiki_lab.kernel.selftest import Check, self_test

__all__ = ["Check", "ensure", "self_test"]
