"""What a simulated Junos does with its candidate, edited at the command line or by NETCONF."""

import re

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.junos_secret import stored
from heiiki_lab.devices.model import Tree
from heiiki_lab.devices.shell import Sections

_TOPS = """
access apply-groups chassis class-of-service event-options firewall forwarding-options groups interfaces
multi-chassis policy-options protocols routing-instances routing-options security services snmp switch-options
system vlans
"""
_GRAMMAR = Sections(
    openers=(),
    singles=(
        r"(set system host-name) ",
        r"(set .* (?:description|mtu|peer-as|local-address|priority|minimum-interval|multiplier)) ",
        r"(set routing-options (?:autonomous-system|router-id)) ",
    ),
    words=frozenset(_TOPS.split()),
)
_STATEMENT = re.compile(r"(set|delete) (\S+)( .+)?")

NOT_FOUND = "statement not found"


class RefusedStatementError(Exception):
    """A statement is no statement; its text is what the device says of it."""


class WrongCandidateError(Exception):
    """The candidate cannot be committed.

    Attributes:
        place: of the configuration, as the device names it.
        statement: what is wrong there.
        words: what is wrong with it.
    """

    def __init__(self, place: str, statement: str, words: str) -> None:
        """Keep place and statement beside the words."""
        self.place, self.statement, self.words = place, statement, words
        super().__init__(words)


class Candidate:
    """The candidate of one session, which has the configuration for itself while it edits."""

    def __init__(self, device: Device, session: object) -> None:
        """Begin without a change."""
        self._device, self._session = device, session
        self.tree = Tree()

    @property
    def text(self) -> str:
        """The candidate as set lines."""
        return self.tree.text(0)

    @property
    def changed(self) -> bool:
        """Whether something is not committed."""
        return self.text != self._device.text

    def open(self) -> bool:
        """Take the configuration, and begin with what is committed; False where another operator has it."""
        if self._device.faults.occupied or self._device.editor not in (None, self._session):
            return False
        if self._device.editor is None:
            self._device.editor = self._session
            self.tree = Tree(self._device.text)
        return True

    def close(self) -> None:
        """Give the configuration back; what is not committed is gone."""
        if self._device.editor is self._session:
            self._device.editor = None
        self.tree = Tree()

    def edit(self, line: str) -> str:
        """Take a set or delete line; returns a warning, or the empty string.

        Raises:
            RefusedStatementError: it is none.
        """
        match = _STATEMENT.fullmatch(line)
        if self._device.refused(line) or match is None or match[2] not in _GRAMMAR.words:
            raise RefusedStatementError("syntax error")
        words = f"set {match[2]}{match[3] or ''}"
        if match[1] == "set":
            self._put(words)
        elif not _GRAMMAR.remove(self.tree.root, words):
            return NOT_FOUND
        return ""

    def _put(self, line: str) -> None:
        """Set one line; a new secret takes the place of the old one, in the form that is shown."""
        kept = stored(line)
        if kept != line:
            _GRAMMAR.remove(self.tree.root, kept.rpartition(" ")[0])
        _GRAMMAR.put(self.tree.root, kept)

    def clear(self) -> None:
        """Begin with no line at all."""
        self.tree = Tree()

    def compared(self, number: int = 0) -> str:
        """Return what differs from an earlier configuration, 0 for what is committed.

        Raises:
            LookupError: there is none of this number.
        """
        old, new = self._earlier(number).splitlines(), self.text.splitlines()
        gone = (f"- {line}" for line in old if line not in new)
        come = (f"+ {line}" for line in new if line not in old)
        return "".join(f"{line}\n" for line in (*gone, *come))

    def rollback(self, number: int) -> None:
        """Take an earlier configuration, 0 for what is committed.

        Raises:
            LookupError: there is none of this number.
        """
        self.tree = Tree(self._earlier(number))

    def check(self) -> None:
        """Examine the candidate: a group of BGP needs a type.

        Raises:
            WrongCandidateError: it cannot be committed.
        """
        for line in self.tree.root:
            group = re.match(r"set protocols bgp group (\S+) ", line)
            if group and not any(
                f"set protocols bgp group {group[1]} type {kind}" in self.tree.root
                for kind in ("external", "internal")
            ):
                raise WrongCandidateError(
                    f"[edit protocols bgp group {group[1]}]", "type", "Missing mandatory statement: 'type'"
                )

    def commit(self, via: str, minutes: int = 0) -> None:
        """Commit, which confirms what waits for it; with `minutes` it is the commit that waits.

        Raises:
            WrongCandidateError: it cannot be committed.
        """
        self.check()
        device = self._device
        before = device.text
        device.disarm()
        device.history.append(before)
        device.restore(self.text)
        device.saved = device.text
        comment = f" commit confirmed, rollback in {minutes}mins" if minutes else ""
        device.log.append(f"2024-01-01 00:00:00 UTC by {device.spec.user} via {via}{comment}")
        if minutes:
            device.arm(minutes * device.spec.minute_s, minutes, self._session, kept=before)

    def _earlier(self, number: int) -> str:
        return [self._device.text, *reversed(self._device.history)][number]
