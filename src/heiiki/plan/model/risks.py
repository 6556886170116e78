"""What both networks share beside the elements of their paths, as somebody declared it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SharedRisk:
    """One thing whose failure strikes several elements at once.

    Attributes:
        kind: duct, power, building, base_station, wholesale or other.
        elements: names of devices and links.
    """

    name: str
    kind: str
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Risks:
    """What was declared.

    Attributes:
        examined: who looked, when and at what, as human-readable text; empty: not examined.
    """

    examined: str
    shared: tuple[SharedRisk, ...] = ()
