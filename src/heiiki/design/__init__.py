"""Design checks: every requirement that can be examined on paper, before a device is touched."""

from heiiki.design.stage import design

__all__ = ["design"]
