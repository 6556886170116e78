"""A simulated NEC UNIVERGE IX command line: one configuration process, no rollback timer, 80 columns."""

import re
from typing import ClassVar

from heiiki_lab.devices.shell import Reply, Sections, Shell

_WORDS = """
action address-family authentication auto-connect bandwidth bgp bridge child-lifetime child-pfs
child-proposal class-map clock description device dns dpd encapsulation event group hostname http-server
ikev2 interface ip ipsec ipv6 l2tp logging match mtu neighbor network network-monitor no ntp pki policy-map
ppp pppoe proxy-dns remark route-map router sa-lifetime sa-proposal set shutdown snmp-agent snmpv3
source-address ssh-server syslog timezone tunnel username vrf vrrp watch-group
"""
_GRAMMAR = Sections(
    openers=(
        (
            "",
            r"(interface|router|ikev2 (default-)?profile|ppp profile|route-map|watch-group|device)\b.*",
        ),
        (r"router .*", r"address-family .*"),
    ),
    singles=(
        r"(hostname|description|mtu|encapsulation|timezone) ",
        r"ip address ",
        r"(tunnel mode|ikev2 binding|ikev2 outgoing-interface) ",
        r"neighbor (\S+) (remote-as|description|timers) ",
    ),
    words=frozenset(_WORDS.split()),
    shown_off=(r"shutdown",),
)
_OCCUPIED = "% CONFIG process is occupied.\n"
_RESTART = re.compile(r"device .*|bridge .*")


class Ix(Shell):
    """One session."""

    more = "--More--"
    folds = True
    indent = 2
    commands: ClassVar = {
        "exec": (
            (r"enable-config|configure( terminal)?", "configure"),
            (r"svintr-config", "take_over"),
            (r"show version", "show_version"),
            (r"exit|quit|logout", "leave"),
        ),
        "config": (
            (r"configure", "top"),
            (r"terminal length (\d+)", "length"),
            (r"terminal width (\d+)", "columns"),
            (r"show running-config", "show_running"),
            (r"show startup-config", "show_saved"),
            (r"write memory", "save"),
            (r"exit", "up"),
        ),
    }

    def prompt_of_mode(self) -> str:
        """Return the host name with mode and section."""
        name = self.device.spec.name
        if self.mode == "exec":
            return f"{name}# "
        section = f"-{self.path[-1].split()[-1]}" if self.path else ""
        return f"{name}(config{section})# "

    def enter(self, line: str) -> Reply:
        """Take a line; a session that was thrown out of configuration mode notices it here."""
        if self.mode == "config" and self.device.editor is not self:
            self.mode, self.path = "exec", []
        return super().enter(line)

    def other(self, line: str) -> Reply:
        """Take a configuration line; refuse anything else."""
        words = line.split()
        if self.mode != "config":
            return Reply(f"% {words[0]} -- Invalid command.\n")
        if self.device.refused(line) or words[0] not in _GRAMMAR.words:
            return Reply(f"% {words[0]} -- Invalid command.\n")
        negated = words[0] == "no"
        bare = " ".join(words[1:] if negated else words)
        place = _GRAMMAR.place(self.path, bare)
        opens = _GRAMMAR.opens(place[-1] if place else "", bare)
        section = self.device.running.at(place)
        if negated:
            if not _GRAMMAR.remove(section, bare):
                return Reply(f"% {bare} -- Not configured.\n")
            self.path = place
        else:
            _GRAMMAR.put(section, bare)
            self.path = [*place, bare] if opens else place
        notice = "% You must restart the router for this configuration to take effect.\n"
        return Reply(notice if _RESTART.fullmatch(bare) else "")

    def configure(self, _: re.Match[str]) -> Reply:
        """Enter configuration mode, of which there is one."""
        if self.device.faults.occupied or self.device.editor not in (None, self):
            return Reply(_OCCUPIED)
        return self._configure()

    def take_over(self, _: re.Match[str]) -> Reply:
        """Enter configuration mode, and throw out who has it."""
        if self.device.faults.occupied or self.device.editor not in (None, self):
            self.device.log.append("operator thrown out")
        self.device.faults.occupied = False
        return self._configure()

    def _configure(self) -> Reply:
        self.device.editor = self
        self.mode, self.path = "config", []
        return Reply("Enter configuration commands, one per line. End with CNTL/Z.\n")

    def top(self, _: re.Match[str]) -> Reply:
        """Leave every section."""
        self.path = []
        return Reply()

    def show_version(self, _: re.Match[str]) -> Reply:
        """Name the simulator."""
        return Reply("NEC Portable Internetwork Core Operating System (simulated by heiiki_lab)\n")

    def show_running(self, _: re.Match[str]) -> Reply:
        """Show what runs."""
        return Reply(
            f"! NEC Portable Internetwork Core Operating System\n! Current time Jan 1 "
            f"2024\n!\n{self.device.text}"
        )

    def show_saved(self, _: re.Match[str]) -> Reply:
        """Show what was saved."""
        return Reply(f"! NEC Portable Internetwork Core Operating System\n!\n{self.device.saved}")

    def save(self, _: re.Match[str]) -> Reply:
        """Save what runs."""
        self.device.saved = self.device.text
        return Reply(
            "Building configuration...\n% Warning: do NOT enter CNTL/Z while saving to avoid config "
            "corruption.\n"
        )

    def up(self, _: re.Match[str]) -> Reply:
        """Leave a section, or configuration mode."""
        if not self.path:
            self.mode, self.device.editor = "exec", None
        self.path = self.path[:-1]
        return Reply()

    def leave(self, _: re.Match[str]) -> Reply:
        """Log out."""
        return Reply(close=True)
