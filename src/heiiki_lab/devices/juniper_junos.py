"""A simulated Juniper Junos command line: candidate, `commit check`, `commit confirmed`, `rollback`."""

import re
from typing import ClassVar

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.model import Tree
from heiiki_lab.devices.shell import Reply, Sections, Shell

_TOPS = """
access apply-groups chassis class-of-service event-options firewall forwarding-options groups interfaces
multi-chassis policy-options protocols routing-instances routing-options security services snmp switch-options
system vlans
"""
_SINGLES = Sections(
    openers=(),
    singles=(
        r"(set system host-name) ",
        r"(set .* (?:description|mtu|peer-as|local-address|priority|minimum-interval|multiplier)) ",
        r"(set routing-options (?:autonomous-system|router-id)) ",
    ),
    words=frozenset(_TOPS.split()),
)
_UNKNOWN = "                    ^\nunknown command.\n"
_SYNTAX = "                    ^\nsyntax error.\n"


class Junos(Shell):
    """One session."""

    more = "---(more)---"
    commands: ClassVar = {
        "exec": (
            (r"set cli screen-length (\d+)", "length"),
            (r"set cli screen-width (\d+)", "columns"),
            (r"set cli complete-on-space off", "no_completion"),
            (r"show configuration \| display set", "show_running"),
            (r"show system commit", "show_commits"),
            (r"show version", "show_version"),
            (r"configure( exclusive)?", "configure"),
            (r"exit|quit", "leave"),
        ),
        "config": (
            (r"show \| compare", "compare"),
            (r"show \| display set", "show_candidate"),
            (r"commit check", "check"),
            (r"commit confirmed (\d+)", "commit_confirmed"),
            (r"commit( and-quit)?", "commit"),
            (r"rollback (\d+)", "rollback"),
            (r"(set|delete) (.+)", "edit"),
            (r"run (.*)", "run"),
            (r"exit|quit|exit configuration-mode", "leave_configuration"),
        ),
    }

    def __init__(self, device: Device) -> None:
        """Begin in operational mode."""
        super().__init__(device)
        self._candidate = Tree()
        self._exclusive = False

    def prompt_of_mode(self) -> str:
        """Return user, host and the sign of the mode, below `[edit]` in configuration mode."""
        place = f"{self.device.spec.user}@{self.device.spec.name}"
        return f"{place}> " if self.mode == "exec" else f"\r\n[edit]\r\n{place}# "

    def other(self, line: str) -> Reply:
        """Refuse what is no command."""
        del line
        return Reply(_UNKNOWN)

    def length(self, match: re.Match[str]) -> Reply:
        """Set the lines of a page."""
        self.page_lines = int(match[1])
        return Reply(f"Screen length set to {match[1]}\n")

    def columns(self, match: re.Match[str]) -> Reply:
        """Set the columns."""
        self.width = int(match[1])
        return Reply(f"Screen width set to {match[1]}\n")

    def no_completion(self, _: re.Match[str]) -> Reply:
        """Take a blank as a blank."""
        return Reply("Disabling complete-on-space\n")

    def show_version(self, _: re.Match[str]) -> Reply:
        """Name the simulator."""
        return Reply(f"Hostname: {self.device.spec.name}\nJunos: 23.4R1 (simulated by heiiki_lab)\n")

    def show_running(self, _: re.Match[str]) -> Reply:
        """Show what is committed."""
        return Reply(self.device.text)

    def show_candidate(self, _: re.Match[str]) -> Reply:
        """Show the candidate."""
        return Reply(self._candidate.text(0))

    def show_commits(self, _: re.Match[str]) -> Reply:
        """Show the commits; the newest is pending while its timer runs."""
        lines = [f"{number}   {what}" for number, what in enumerate(reversed(self.device.log))]
        if self.device.timer is not None:
            lines[1:1] = ["    rollback pending"]
        return Reply("".join(f"{line}\n" for line in lines))

    def configure(self, match: re.Match[str]) -> Reply:
        """Enter configuration mode; an exclusive one is refused while somebody else configures."""
        self._exclusive = match[1] is not None
        if self.device.faults.occupied or self.device.editor not in (None, self):
            return Reply(
                "error: configuration database locked by:\n"
                "  other terminal pts/0 (pid 1) on since 2024-01-01 00:00:00 UTC\n      exclusive [edit]\n"
            )
        self.device.editor = self
        self.mode = "config"
        self._candidate = Tree(self.device.text)
        warning = "warning: uncommitted changes will be discarded on exit\n" if self._exclusive else ""
        return Reply(f"{warning}Entering configuration mode\n")

    def edit(self, match: re.Match[str]) -> Reply:
        """Change the candidate."""
        if self.device.refused(match[0]) or match[2].split()[0] not in _SINGLES.words:
            return Reply(_SYNTAX)
        line = f"set {match[2]}"
        if match[1] == "set":
            _SINGLES.put(self._candidate.root, line)
        elif not _SINGLES.remove(self._candidate.root, line):
            return Reply("warning: statement not found\n")
        return Reply()

    def compare(self, _: re.Match[str]) -> Reply:
        """Show the difference of the candidate."""
        old, new = self.device.text.splitlines(), self._candidate.text(0).splitlines()
        lines = [f"- {line}" for line in old if line not in new] + [
            f"+ {line}" for line in new if line not in old
        ]
        return Reply("".join(f"{line}\n" for line in lines))

    def check(self, _: re.Match[str]) -> Reply:
        """Check the candidate: a group of BGP needs a type."""
        if (wrong := self._wrong()) is not None:
            return Reply(wrong)
        return Reply("configuration check succeeds\n")

    def commit_confirmed(self, match: re.Match[str]) -> Reply:
        """Commit with a timer."""
        if (wrong := self._wrong()) is not None:
            return Reply(wrong)
        minutes = int(match[1])
        before = self.device.text
        self._commit(f"commit confirmed, rollback in {minutes}mins")
        self.device.arm(minutes * self.device.spec.minute_s, minutes, self, kept=before)
        return Reply(
            f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed\n"
            "commit complete\n\n# commit confirmed will be rolled back in "
            f"{minutes} minutes\n"
        )

    def commit(self, match: re.Match[str]) -> Reply:
        """Commit, which confirms what waits for it."""
        if (wrong := self._wrong()) is not None:
            return Reply(wrong)
        self.device.disarm()
        self._commit("")
        if match[1]:
            self.mode, self.device.editor = "exec", None
        return Reply("commit complete\n")

    def rollback(self, match: re.Match[str]) -> Reply:
        """Load an earlier configuration into the candidate."""
        number = int(match[1])
        earlier = [self.device.text, *reversed(self.device.history)]
        if number >= len(earlier):
            return Reply("error: rollback: no such configuration\n")
        self._candidate = Tree(earlier[number])
        return Reply("load complete\n")

    def run(self, match: re.Match[str]) -> Reply:
        """Run an operational command out of configuration mode."""
        self.mode = "exec"
        reply = self.enter(match[1])
        self.mode = "config"
        return reply

    def leave_configuration(self, _: re.Match[str]) -> Reply:
        """Leave configuration mode; ask where changes would be lost."""
        if self._candidate.text(0) == self.device.text:
            return self._left("yes")
        return self.ask(
            "The configuration has been changed but not committed\r\nExit with uncommitted changes? [yes,no] "
            "(yes) ",
            self._left,
        )

    def leave(self, _: re.Match[str]) -> Reply:
        """Log out."""
        return Reply(close=True)

    def _left(self, answer: str) -> Reply:
        if answer in {"yes", ""}:
            self.mode, self.device.editor = "exec", None
            return Reply("Exiting configuration mode\n")
        return Reply()

    def _wrong(self) -> str | None:
        for line in self._candidate.root:
            group = re.match(r"set protocols bgp group (\S+) ", line)
            if group and not any(
                f"set protocols bgp group {group[1]} type {kind}" in self._candidate.root
                for kind in ("external", "internal")
            ):
                return (
                    f"[edit protocols bgp group {group[1]}]\n  'type'\n    Missing mandatory statement: "
                    f"'type'\n"
                    "error: configuration check-out failed: (missing mandatory statements)\n"
                )
        return None

    def _commit(self, comment: str) -> None:
        self.device.history.append(self.device.text)
        self.device.restore(self._candidate.text(0))
        self.device.saved = self.device.text
        self.device.log.append(
            f"2024-01-01 00:00:00 UTC by {self.device.spec.user} via cli {comment}".rstrip()
        )
