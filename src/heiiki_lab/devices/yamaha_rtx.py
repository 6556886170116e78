"""A simulated Yamaha RTX command line: administrator mode, `rollback timer`, `confirm`, `save`.

A log-out ends the timer and keeps the change, as the command reference says; there is one timer for each
console, so `confirm` ends that of its own session alone.
"""

import re
from typing import ClassVar

from heiiki_lab.devices.shell import Reply, Sections, Shell

_WORDS = """
administrator bgp clear console description dhcp dns ethernet httpd ip ipsec ipv6 lan login nat no ntpdate
ospf pki pp ppp pppoe queue schedule security snmp snmpv2c snmpv3 sntpd speed sshd syslog system telnetd
timezone tunnel user vlan wan1
"""
_GRAMMAR = Sections(
    openers=(("", r"(tunnel|pp) select (?!none)\S+"),),
    singles=(
        r"ip (\S+) (address|mtu|vrrp \d+) ",
        r"ip route (\S+) ",
        r"(bgp autonomous-system|bgp router id|bgp use|console prompt|login timer|timezone|sshd service) ",
        r"bgp neighbor (\d+) \d+ ",
        r"ipsec ike (\S+(?: \S+)??) (\d+) ",
        r"ip keepalive (\d+) ",
        r"syslog host ",
        r"description (\S+) ",
    ),
    words=frozenset(_WORDS.split()),
)
_INSIDE = re.compile(
    r"(no )?(tunnel (?!select)|pp (?!select)|ppp |pppoe |ipsec (?!auto)|ip (tunnel|pp) |description )"
)
_UNKNOWN = "Error: Invalid command name\n"


class Rtx(Shell):
    """One session."""

    more = "---more---"
    commands: ClassVar = {
        "exec": (
            (r"administrator", "administrator"),
            (r"console (lines|columns|character) \S+", "console"),
            (r"exit|quit", "leave"),
        ),
        "admin": (
            (r"show config", "show_running"),
            (r"show environment", "show_environment"),
            (r"console (lines|columns) (\S+)", "console"),
            (r"rollback timer (\d+)", "arm"),
            (r"confirm", "confirm"),
            (r"save", "save"),
            (r"bgp configure refresh", "refresh"),
            (r"(exit|quit)( save)?", "exit_administrator"),
        ),
    }

    def prompt_of_mode(self) -> str:
        """Return name, selected interface and the sign of the mode."""
        selected = "".join(self.path[0].split()[::2]) if self.path else ""
        return f"{self.device.spec.name}{selected}{'# ' if self.mode == 'admin' else '> '}"

    def other(self, line: str) -> Reply:
        """Take a configuration line; refuse anything else."""
        if self.mode != "admin":
            known = line.split(maxsplit=1)[0] in _GRAMMAR.words
            return Reply("Error: Administrator use only\n" if known else _UNKNOWN)
        words = line.split()
        if self.device.refused(line) or words[0] not in _GRAMMAR.words:
            return Reply(_UNKNOWN)
        bare = " ".join(words)
        if re.fullmatch(r"(no )?(tunnel|pp) select( none)?", bare):
            self.path = []
            return Reply()
        return self._put(bare)

    def _put(self, line: str) -> Reply:
        negated, bare = line.startswith("no "), line.removeprefix("no ")
        if _GRAMMAR.opens("", bare):
            self.path = [bare]
            if negated:
                _GRAMMAR.remove(self.device.running.root, bare)
                self.path = []
            else:
                self.device.running.at(self.path)
            return Reply()
        inside = self.path if _INSIDE.match(line) else []
        section = self.device.running.at(inside)
        if negated:
            gone = _GRAMMAR.remove(section, bare)
            return Reply() if gone else Reply("Error: Parameter out of range\n")
        _GRAMMAR.put(section, bare)
        return Reply()

    def administrator(self, _: re.Match[str]) -> Reply:
        """Ask for the administrator's password."""
        return self.ask("Password: ", self._administrator, hidden=True)

    def _administrator(self, secret: str) -> Reply:
        if secret != self.device.spec.admin_password:
            return Reply("Error: Incorrect password\n")
        self.mode = "admin"
        return Reply()

    def console(self, match: re.Match[str]) -> Reply:
        """Set lines of a page; `infinity` is endless."""
        if match[1] == "lines":
            value = match[0].split()[-1]
            self.page_lines = 0 if value == "infinity" else int(value)
        return Reply()

    def show_running(self, _: re.Match[str]) -> Reply:
        """Show what runs."""
        return Reply(f"# RTX830 (simulated by heiiki_lab)\n# Reporting Date: Jan 1 2024\n{self.device.text}")

    def show_environment(self, _: re.Match[str]) -> Reply:
        """Name the simulator."""
        return Reply("RTX830 Rev.15.02.30 (simulated by heiiki_lab)\n")

    def arm(self, match: re.Match[str]) -> Reply:
        """Arm the rollback timer."""
        seconds = int(match[1])
        self.device.arm(seconds * self.device.spec.minute_s / 60, seconds / 60, self)
        return Reply()

    def confirm(self, _: re.Match[str]) -> Reply:
        """End the rollback timer of this console."""
        timer = self.device.timer
        if timer is not None and timer.owner is self:
            self.device.disarm()
        return Reply()

    def save(self, _: re.Match[str]) -> Reply:
        """Save what runs, which ends the rollback timer."""
        self.device.saved = self.device.text
        self.confirm(_)
        return Reply("Saving ... CONFIG0 Done .\n")

    def refresh(self, _: re.Match[str]) -> Reply:
        """Take over what was said of BGP."""
        return Reply()

    def exit_administrator(self, match: re.Match[str]) -> Reply:
        """Leave the administrator's mode; ask whether to save what is not saved."""
        self.confirm(match)
        if match[2]:
            self.device.saved = self.device.text
        if self.device.saved != self.device.text:
            return self.ask("Save new configuration ? (Y/N)", self._exit)
        return self._exit("N")

    def _exit(self, answer: str) -> Reply:
        if answer.upper() == "Y":
            self.device.saved = self.device.text
        self.mode, self.path = "exec", []
        return Reply()

    def leave(self, match: re.Match[str]) -> Reply:
        """Log out."""
        self.confirm(match)
        return Reply(close=True)
