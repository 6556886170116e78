"""The elements of a service's picture: boxes, lines and regions, with their places in pixels."""

from dataclasses import dataclass

from heiiki.requirements import Result

BOX_WIDTH, BOX_HEIGHT = 116.0, 38.0


@dataclass(frozen=True, slots=True)
class Box:
    """A device, by the middle of its box."""

    name: str
    label: str
    detail: str
    x: float
    y: float
    network: str
    result: Result | None
    tooltip: str

    @property
    def left(self) -> float:
        """Left edge."""
        return self.x - BOX_WIDTH / 2

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.y - BOX_HEIGHT / 2


@dataclass(frozen=True, slots=True)
class Line:
    """A link as an SVG path; `label` stands at (x, y) and is empty for kinds that the colour tells.

    Attributes:
        jackets: how many ESP associations a packet between site and hub is in on this link, by the plan.
    """

    name: str
    path: str
    network: str
    radio: bool
    label: str
    x: float
    y: float
    result: Result | None
    tooltip: str
    jackets: int = 0


@dataclass(frozen=True, slots=True)
class Frame:
    """A region of the picture with its heading."""

    label: str
    note: str
    kind: str
    x: float
    y: float
    width: float
    height: float
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything to draw; `left_out` counts sites that a picture of this size has no room for."""

    width: float
    height: float
    frames: tuple[Frame, ...]
    lines: tuple[Line, ...]
    boxes: tuple[Box, ...]
    left_out: int
