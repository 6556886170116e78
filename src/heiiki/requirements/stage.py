"""The stages at which a requirement is examined."""

from enum import StrEnum


class Stage(StrEnum):
    """Where a requirement is examined."""

    DESIGN = "design"
    CONFIG = "config"
    LIVE = "live"
