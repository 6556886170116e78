"""Output folders: Heiiki overwrites and removes what its own record names, and nothing else."""

from heiiki.output.folder import OwnedFolder, Update
from heiiki.output.tree import Content, digest

__all__ = ["Content", "OwnedFolder", "Update", "digest"]
