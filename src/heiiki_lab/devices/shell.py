"""What the command lines of all simulated platforms have in common."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.model import Section


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command prints.

    Attributes:
        text: its output, lines ended by LF.
        close: the session ends.
    """

    text: str = ""
    close: bool = False


Command = Callable[[re.Match[str]], Reply]


class Shell:
    """One session at the command line of a device.

    A platform gives its commands by mode, as pairs of an expression and the name of a method.
    """

    more: ClassVar[str] = "--More--"
    folds: ClassVar[bool] = False
    indent: ClassVar[int] = 1
    commands: ClassVar[dict[str, tuple[tuple[str, str], ...]]] = {}

    def __init__(self, device: Device) -> None:
        """Begin a session."""
        self.device = device
        self.mode = "exec"
        self.path: list[str] = []
        self.page_lines = device.spec.page_lines
        self.width = device.spec.width
        self.hidden = False
        self._ask: Callable[[str], Reply] | None = None
        self._question = ""

    def length(self, match: re.Match[str]) -> Reply:
        """Set the lines of a page."""
        self.page_lines = int(match[1])
        return Reply()

    def columns(self, match: re.Match[str]) -> Reply:
        """Set the columns."""
        self.width = int(match[1])
        return Reply()

    def prompt(self) -> str:
        """Return what stands before the cursor."""
        if self._ask is not None:
            return self._question
        return self.prompt_of_mode()

    def prompt_of_mode(self) -> str:
        """Return the prompt of the present mode."""
        raise NotImplementedError

    def enter(self, line: str) -> Reply:
        """Take a line, and answer it."""
        if not self.hidden:
            self.device.heard.append(line)
        if self._ask is not None:
            ask, self._ask, self.hidden = self._ask, None, False
            return ask(line.strip())
        words = " ".join(line.split())
        if not words:
            return Reply()
        for pattern, name in self.commands.get(self.mode, ()):
            if (match := re.fullmatch(pattern, words)) is not None:
                answer: Reply = getattr(self, name)(match)
                return answer
        return self.other(line.strip())

    def other(self, line: str) -> Reply:
        """Answer a line that is no command of the mode."""
        raise NotImplementedError

    def ask(self, question: str, answer: Callable[[str], Reply], *, hidden: bool = False) -> Reply:
        """Ask, and have the next line answered by `answer`; a hidden one is not echoed."""
        self._question, self._ask, self.hidden = question, answer, hidden
        return Reply()

    def lost(self) -> None:
        """Learn that the connection broke."""
        self.device.dropped(self)

    def ended(self) -> None:
        """Learn that the session ended in order."""
        if self.device.editor is self:
            self.device.editor = None


@dataclass(frozen=True, slots=True)
class Sections:
    """The grammar of a platform, as far as a simulator needs it.

    Attributes:
        openers: for each kind of section (by expression; the empty string is the top) what opens one in it.
        singles: what there is once in a section: a second line that matches with the same group replaces the
            first.
        words: first words of the lines that are known; any other is refused.
        shown_off: what holds by itself; taken back, it is shown as a line of its own with `no`.
    """

    openers: Sequence[tuple[str, str]]
    singles: Sequence[str]
    words: frozenset[str]
    shown_off: Sequence[str] = ()

    def opens(self, section: str, line: str) -> bool:
        """Tell whether `line` opens a section inside `section`."""
        return any(
            re.fullmatch(inside, section) and re.fullmatch(opener, line) for inside, opener in self.openers
        )

    def place(self, path: list[str], line: str) -> list[str]:
        """Return the sections that `line` stands in: the present ones, or fewer if it opens an outer one."""
        for depth in range(len(path), -1, -1):
            if self.opens(path[depth - 1] if depth else "", line):
                return path[:depth]
        return path

    def put(self, section: Section, line: str) -> None:
        """Put a line into a section, in the place of the one that it replaces."""
        if self._holds(line):
            section.pop(f"no {line}", None)
            return
        if line not in section:
            key = self._key(line)
            for old in [one for one in section if key is not None and self._key(one) == key]:
                del section[old]
        section.setdefault(line, Section())

    def remove(self, section: Section, words: str) -> bool:
        """Remove the lines that are `words` or begin with them; tell whether there were any."""
        if self._holds(words):
            section.setdefault(f"no {words}", Section())
            return True
        gone = [one for one in section if one == words or one.startswith(f"{words} ")]
        for one in gone:
            del section[one]
        return bool(gone)

    def _holds(self, line: str) -> bool:
        return any(re.fullmatch(pattern, line) for pattern in self.shown_off)

    def _key(self, line: str) -> tuple[str, ...] | None:
        for number, pattern in enumerate(self.singles):
            if (match := re.match(pattern, line)) is not None:
                return (str(number), *match.groups())
        return None
