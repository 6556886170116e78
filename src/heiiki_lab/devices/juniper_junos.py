"""A simulated Juniper Junos command line: candidate, `commit check`, `commit confirmed`, `rollback`."""

import re
from typing import ClassVar

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.junos_candidate import Candidate, RefusedStatementError, WrongCandidateError
from heiiki_lab.devices.shell import Reply, Shell

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
        self._candidate = Candidate(device, self)

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
        return Reply(self._candidate.text)

    def show_commits(self, _: re.Match[str]) -> Reply:
        """Show the commits; the newest is pending while its timer runs."""
        lines = [f"{number}   {what}" for number, what in enumerate(reversed(self.device.log))]
        if self.device.timer is not None:
            lines[1:1] = ["    rollback pending"]
        return Reply("".join(f"{line}\n" for line in lines))

    def configure(self, match: re.Match[str]) -> Reply:
        """Enter configuration mode; an exclusive one is refused while somebody else configures."""
        if not self._candidate.open():
            return Reply(
                "error: configuration database locked by:\n"
                "  other terminal pts/0 (pid 1) on since 2024-01-01 00:00:00 UTC\n      exclusive [edit]\n"
            )
        self.mode = "config"
        exclusive = match[1] is not None
        warning = "warning: uncommitted changes will be discarded on exit\n" if exclusive else ""
        return Reply(f"{warning}Entering configuration mode\n")

    def edit(self, match: re.Match[str]) -> Reply:
        """Change the candidate."""
        try:
            warning = self._candidate.edit(match[0])
        except RefusedStatementError:
            return Reply(_SYNTAX)
        return Reply(f"warning: {warning}\n" if warning else "")

    def compare(self, _: re.Match[str]) -> Reply:
        """Show the difference of the candidate."""
        return Reply(self._candidate.compared())

    def check(self, _: re.Match[str]) -> Reply:
        """Check the candidate."""
        try:
            self._candidate.check()
        except WrongCandidateError as error:
            return _checked_out(error)
        return Reply("configuration check succeeds\n")

    def commit_confirmed(self, match: re.Match[str]) -> Reply:
        """Commit with a timer."""
        minutes = int(match[1])
        try:
            self._candidate.commit("cli", minutes)
        except WrongCandidateError as error:
            return _checked_out(error)
        return Reply(
            f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed\n"
            "commit complete\n\n# commit confirmed will be rolled back in "
            f"{minutes} minutes\n"
        )

    def commit(self, match: re.Match[str]) -> Reply:
        """Commit, which confirms what waits for it."""
        try:
            self._candidate.commit("cli")
        except WrongCandidateError as error:
            return _checked_out(error)
        if match[1]:
            self._close()
        return Reply("commit complete\n")

    def rollback(self, match: re.Match[str]) -> Reply:
        """Load an earlier configuration into the candidate."""
        try:
            self._candidate.rollback(int(match[1]))
        except LookupError:
            return Reply("error: rollback: no such configuration\n")
        return Reply("load complete\n")

    def run(self, match: re.Match[str]) -> Reply:
        """Run an operational command out of configuration mode."""
        self.mode = "exec"
        reply = self.enter(match[1])
        self.mode = "config"
        return reply

    def leave_configuration(self, _: re.Match[str]) -> Reply:
        """Leave configuration mode; ask where changes would be lost."""
        if not self._candidate.changed:
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
            self._close()
            return Reply("Exiting configuration mode\n")
        return Reply()

    def _close(self) -> None:
        self._candidate.close()
        self.mode = "exec"


def _checked_out(error: WrongCandidateError) -> Reply:
    return Reply(
        f"{error.place}\n  '{error.statement}'\n    {error.words}\n"
        "error: configuration check-out failed: (missing mandatory statements)\n"
    )
