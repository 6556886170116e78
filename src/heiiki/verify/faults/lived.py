"""What is measured while a fault is in force, beside the silences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heiiki.report.faults import Step


@dataclass(frozen=True, slots=True)
class Lived:
    """What was measured while the failure was in force, beside the silences.

    Attributes:
        wrong: what did not work, as human-readable text.
        doubts: what could not be tried.
        notes: the raw answers, for evidence.
        said: what a pass states of it.
        steps: of an event that was under way.
    """

    wrong: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    notes: Mapping[str, Any] | None = None
    said: str = ""
    steps: tuple[Step, ...] = ()
