"""A simulated Cisco IOS-XE command line: privileged EXEC, configuration mode, archive and timed rollback."""

import re
from typing import ClassVar

from heiiki_lab.devices.device import Device
from heiiki_lab.devices.shell import Reply, Sections, Shell

_WORDS = """
aaa access-class access-list address address-family aggregate-address alias archive arp authentication
bandwidth banner bfd bgp boot bridge-domain cdp chain chain-validation class class-map clock config-exchange
controller crl crypto default deny description dialer dns domain dpd eckeypair enable encapsulation
encryption enrollment event exit-address-family fhrp fqdn frequency group hash hostname icmp-echo identity
integrity interface ip ip-address ipv6 keepalive key lifetime line lldp load-interval logging login
mac-address match maximum-paths mode mtu neighbor network no ntp object path peer permit pki policy
policy-map ppp pppoe pppoe-client preempt prf priority privilege proposal rd redistribute remark remote
revocation-check route-map route-target router rsakeypair security sequence serial-number service
service-policy set shape shutdown snmp snmp-server source subject-name switchport tacacs template threshold
time-period timeout timers track transport tunnel username version vlan vrf vrrp
"""
_GRAMMAR = Sections(
    openers=(
        ("", r"interface \S+.*"),
        ("", r"(router|route-map|vrf definition|line|policy-map|class-map|controller|key) .*"),
        ("", r"ip access-list (standard|extended) \S+"),
        ("", r"crypto (pki trustpoint|ikev2 \S+|ipsec (transform-set|profile)|isakmp policy) .*"),
        ("", r"archive|ip sla \d+|track \d+ (?!shutdown|decrement).*"),
        (r"interface .*", r"vrrp \d+ address-family \S+"),
        (r"router .*|vrf definition .*", r"address-family .*"),
        (r"policy-map .*", r"class .*"),
        (r"class .*", r"police .*"),
    ),
    singles=(
        r"hostname ",
        r"description ",
        r"ip address \S+ \S+$",
        r"(mtu|bandwidth|path|time-period|encapsulation|load-interval) ",
        r"(tunnel source|tunnel destination|tunnel mode) ",
        r"neighbor (\S+) (remote-as|description|timers|fall-over|password) ",
        r"snmp-server (location|contact) ",
        r"ip access-group \S+ (in|out)$",
    ),
    words=frozenset(_WORDS.split()),
    shown_off=(
        r"ip (source-route|http server|http secure-server|redirects|proxy-arp)",
        r"(cdp|lldp) run|service pad|bfd echo|bgp default ipv4-unicast|config-exchange request",
    ),
)
_INVALID = "          ^\n% Invalid input detected at '^' marker.\n\n"
_LONGEST_MIN = 120
_NOTHING = "%No Rollback Confirmed Change pending\n"


class IosXe(Shell):
    """One session."""

    more = " --More-- "
    commands: ClassVar = {
        "user": ((r"en(able)?", "enable"), (r"exit|quit|logout", "leave")),
        "exec": (
            (r"terminal length (\d+)", "length"),
            (r"terminal width (\d+)", "columns"),
            (r"sh(ow)? run(ning-config)?", "show_running"),
            (r"sh(ow)? startup-config", "show_saved"),
            (r"sh(ow)? archive config rollback timer", "show_timer"),
            (r"sh(ow)? version", "show_version"),
            (r"conf(igure)? t(erminal)?( revert timer (\d+))?", "configure"),
            (r"configure confirm", "confirm"),
            (r"configure revert now", "revert"),
            (r"wr(ite)?( mem(ory)?)?", "save"),
            (r"disable", "disable"),
            (r"exit|quit|logout", "leave"),
        ),
        "config": (
            (r"end", "end"),
            (r"exit", "up"),
            (r"do (.*)", "do"),
            (r"exit-address-family|exit-vrrp", "up"),
        ),
    }

    def __init__(self, device: Device) -> None:
        """Begin in user EXEC mode where an enable secret is set."""
        super().__init__(device)
        self.mode = "user" if self.device.spec.admin_password else "exec"

    def prompt_of_mode(self) -> str:
        """Return the host name with the sign of the mode; configuration mode cuts it at 20 characters."""
        name = self._host_name()
        if self.mode != "config":
            return f"{name}{'>' if self.mode == 'user' else '#'}"
        return f"{name[:20]}({_mode_name(self.path)})#"

    def other(self, line: str) -> Reply:
        """Take a configuration line; refuse anything else."""
        if self.mode != "config":
            return Reply(_INVALID)
        words = line.split()
        negated = words[0] == "no"
        bare = " ".join(words[1:] if negated else words)
        # An entry of an access list begins with its number.
        known = words[0] in _GRAMMAR.words or bare.partition(" ")[0].isdecimal()
        if self.device.refused(line) or not known:
            return Reply(_INVALID)
        place = _GRAMMAR.place(self.path, bare)
        opens = _GRAMMAR.opens(place[-1] if place else "", bare)
        if not opens and _global(bare) and self.path:
            place = []
        section = self.device.running.at(place)
        if bare.startswith("vrf forwarding"):
            _GRAMMAR.remove(section, "ip address")  # it goes with the VRF
        if negated:
            _GRAMMAR.remove(section, bare)
            self.path = place
        else:
            _GRAMMAR.put(section, bare)
            self.path = [*place, bare] if opens else place
        return Reply()

    def enable(self, _: re.Match[str]) -> Reply:
        """Ask for the enable secret."""
        return self.ask("Password: ", self._enabled, hidden=True)

    def _enabled(self, secret: str) -> Reply:
        if secret != self.device.spec.admin_password:
            return Reply("% Access denied\n\n")
        self.mode = "exec"
        return Reply()

    def disable(self, _: re.Match[str]) -> Reply:
        """Go back to user EXEC mode."""
        self.mode = "user"
        return Reply()

    def show_running(self, _: re.Match[str]) -> Reply:
        """Show what runs."""
        text = self._shown(self.device.text)
        return Reply(
            f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n!\n{text}!\nend\n\n"
        )

    def show_saved(self, _: re.Match[str]) -> Reply:
        """Show what was saved."""
        text = self._shown(self.device.saved)
        return Reply(f"Using {len(text)} out of 33554432 bytes\n!\n{text}!\nend\n\n")

    def show_version(self, _: re.Match[str]) -> Reply:
        """Name the simulator."""
        return Reply("Cisco IOS XE Software, Version 17.0 (simulated by heiiki_lab)\n")

    def show_timer(self, _: re.Match[str]) -> Reply:
        """Show the rollback timer."""
        timer = self.device.timer
        if timer is None:
            return Reply(_NOTHING)
        return Reply(
            f"Time configured(or reconfigured): 00:00:00 UTC Mon Jan 1 2024\n"
            f"Timer type: absolute timer\nTimer value: {timer.minutes:g} min\nUser: {self.device.spec.user}\n"
        )

    def configure(self, match: re.Match[str]) -> Reply:
        """Enter configuration mode, with a rollback timer if one is wanted."""
        head = ""
        if match[4] is not None:
            if not any(line.startswith("path ") for line in self.device.running.root.get("archive", {})):
                return Reply("%Please turn config archive on before using this feature\n")
            if self.device.timer is not None:
                return Reply("%A Rollback Confirmed Change is already pending\n")
            minutes = int(match[4])
            if not 1 <= minutes <= _LONGEST_MIN:
                return Reply(_INVALID)
            self.device.arm(minutes * self.device.spec.minute_s, minutes, self)
            head = "Rollback Confirmed Change: Backing up current running config to flash:archive-1\n\n"
        self.mode, self.path = "config", []
        return Reply(f"{head}Enter configuration commands, one per line.  End with CNTL/Z.\n")

    def confirm(self, _: re.Match[str]) -> Reply:
        """End the rollback timer."""
        return Reply("" if self.device.disarm() else _NOTHING)

    def revert(self, _: re.Match[str]) -> Reply:
        """Take back at once what a rollback timer waits for."""
        if self.device.timer is None:
            return Reply(_NOTHING)
        self.device.expire()
        return Reply("Rollback Confirmed Change: rolling to:flash:archive-1\n\n")

    def save(self, _: re.Match[str]) -> Reply:
        """Save what runs."""
        self.device.saved = self.device.text
        return Reply("Building configuration...\n[OK]\n")

    def end(self, _: re.Match[str]) -> Reply:
        """Leave configuration mode."""
        self.mode, self.path = "exec", []
        return Reply()

    def up(self, _: re.Match[str]) -> Reply:
        """Leave a section, or configuration mode."""
        if not self.path:
            self.mode = "exec"
        self.path = self.path[:-1]
        return Reply()

    def do(self, match: re.Match[str]) -> Reply:
        """Run an EXEC command out of configuration mode."""
        self.mode = "exec"
        reply = self.enter(match[1])
        self.mode = "config"
        return reply

    def leave(self, _: re.Match[str]) -> Reply:
        """Log out."""
        return Reply(close=True)

    def _host_name(self) -> str:
        for line in self.device.running.root:
            if line.startswith("hostname "):
                return line.split()[1]
        return "Router"

    def _shown(self, text: str) -> str:
        """Put a `!` after each section, as the device does."""
        return re.sub(r"(?m)^( .*)\n(?=\S)", r"\1\n!\n", text)


def _global(line: str) -> bool:
    return (
        re.match(
            r"(hostname|ntp|logging|snmp-server|username|service(?!-)|ip (route|prefix-list|domain|ssh|http)"
            r"|ip access-list|access-list|aaa|clock|banner|boot|archive|interface|router|crypto)\b",
            line,
        )
        is not None
    )


def _mode_name(path: list[str]) -> str:
    if not path:
        return "config"
    names = {
        "interface": "config-if",
        "router": "config-router",
        "line": "config-line",
        "archive": "config-archive",
    }
    if path[-1].startswith("address-family") and path[0].startswith("router"):
        return "config-router-af"
    return names.get(path[0].split()[0], "config-section")
