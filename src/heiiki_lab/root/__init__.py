"""The guest's root: a private Debian tree with the software of every node, built once and cached."""

from heiiki_lab.root.builder import ensure

__all__ = ["ensure"]
