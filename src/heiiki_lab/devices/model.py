"""What a simulated device is made of, and what can be made to go wrong with it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """One device, as it is ordered from the simulator.

    Attributes:
        name: its host name.
        platform: `cisco_iosxe`, `yamaha_rtx`, `nec_ix` or `juniper_junos`.
        config: running and saved configuration at the start.
        user: who may log in.
        password: the log-in's.
        admin_password: of the administrator's mode; empty where there is none.
        prompt_delay_ms: how long the device thinks before each prompt.
        minute_s: how long a minute of its rollback timer takes, seconds.
        page_lines: lines of a page, until a session says otherwise.
        width: columns, until a session says otherwise.
    """

    name: str
    platform: str
    config: str
    user: str
    password: str = field(repr=False)
    admin_password: str = field(default="", repr=False)
    prompt_delay_ms: float = 0.0
    minute_s: float = 60.0
    page_lines: int = 24
    width: int = 80


@dataclass(slots=True)
class Faults:
    """What goes wrong.

    Attributes:
        refuse_line: the configuration line, counted from 1 over all sessions, that is refused; 0 for none.
        refuse_text: a configuration line with this text in it is refused; empty for none.
        cut_at: byte sent by the next session at which its connection breaks; -1 for never.
        drop: what a broken connection does to a rollback timer that its session armed: `goes_on`, `confirms`
            or `restores`. No reference says what a Yamaha does.
        piece: characters of its output that a session sends at once; 0 for all.
        occupied: another operator has the configuration mode.
    """

    refuse_line: int = 0
    refuse_text: str = ""
    cut_at: int = -1
    drop: str = "goes_on"
    piece: int = 0
    occupied: bool = False


class Section(dict[str, "Section"]):
    """Lines by their text, each with the lines below it."""


class Tree:
    """Lines of configuration in sections, in the order in which they came."""

    def __init__(self, text: str = "") -> None:
        """Read indented text; `!`, `#` and empty lines mean nothing."""
        self.root = Section()
        path: list[tuple[int, Section]] = [(-1, self.root)]
        for line in text.splitlines():
            words = line.strip()
            if not words or words[0] in "!#" or words == "end":
                continue
            depth = len(line) - len(line.lstrip())
            while path[-1][0] >= depth:
                path.pop()
            path.append((depth, path[-1][1].setdefault(words, Section())))

    def at(self, path: Iterable[str]) -> Section:
        """Return the section at `path`, made where it is missing."""
        found = self.root
        for part in path:
            found = found.setdefault(part, Section())
        return found

    def text(self, indent: int) -> str:
        """Return the lines, each section indented by so many blanks."""
        return "".join(f"{line}\n" for line in _lines(self.root, indent, 0))


def _lines(section: Section, indent: int, depth: int) -> Iterator[str]:
    for line, children in section.items():
        yield " " * (indent * depth) + line
        yield from _lines(children, indent, depth + 1)
