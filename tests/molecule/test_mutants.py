"""A verification that cannot fail proves nothing: each mutant of the running lab flips what is meant for it.

Every mutant changes one timer, filter, rule, program, key or certificate on a running device, as a tired
engineer or an attacker would, and is undone afterwards. A verdict that is not named must not move.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from heiiki.pki.authorities import every
from heiiki.render import DeviceBuild, compile_plan
from heiiki.report import EvidenceStore
from heiiki.requirements import Verdict
from heiiki.requirements.verdict import Evidence
from heiiki.service import Service, opened
from heiiki.verify import verify
from heiiki.verify.config import running as configuration
from heiiki.verify.fleet import Fleet, fleet
from heiiki.verify.ipsec import anchors as trust_anchors
from heiiki.verify.ipsec import associations as trust_sas
from heiiki.verify.ipsec import certificates as trust_certificates
from heiiki.verify.ipsec import cleartext as trust_clear
from heiiki.verify.ipsec import refusals as trust_refusals
from heiiki.verify.routing.health import Health
from heiiki_lab.state import lab_dir
from heiiki_lab.transport import LabTransport

Key = tuple[str, str, str]
"""Requirement, stage, subject."""
Verdicts = dict[Key, Verdict]
Argv = tuple[str, ...]


def vtysh(*lines: str) -> tuple[str, ...]:
    return ("vtysh", *(word for line in ("configure terminal", *lines) for word in ("-c", line)))


def nft(rule: str) -> tuple[str, ...]:
    return ("nft", *rule.split())


def sh(script: str) -> Argv:
    return ("sh", "-c", script)


RELOAD_FILTER = ("nft", "-f", "/etc/nftables.conf")
S0017 = ("router bgp 64601 vrf s0017", "address-family ipv4 unicast")


@dataclass(frozen=True)
class Mutant:
    """What is broken, where, how it is mended, and the (requirement, stage, subject) that it must flip."""

    name: str
    device: str
    breaks: tuple[tuple[str, ...], ...]
    mends: tuple[tuple[str, ...], ...]
    flips: frozenset[Key]
    checks: tuple[str, ...] = ("config",)
    live: frozenset[str] = field(default=frozenset())


_STATE = ("ip", "xfrm", "state")
_SELECTED = ("src", "10.112.0.17", "dst", "10.112.0.42", "proto", "esp", "spi", "0x0badcafe")
_PGW, _TEST_SIM, _TAKEN = "/etc/heiiki/pgw.json", "10.112.3.254", "10.112.3.153"
"""The address of the test UE's SIM, which has no session, and one that is nobody's."""

MUTANTS = (
    Mutant(
        "a timer",
        "hub-ce-a",
        (vtysh("bfd", "profile active", "detect-multiplier 10"),),
        (vtysh("bfd", "profile active", "detect-multiplier 4"),),
        frozenset({("R-GAP", "config", "hub-ce-a")}),
    ),
    Mutant(
        "an export filter",
        "hub-ce-a",
        (vtysh("route-map ANNOUNCE-HUB-LAN permit 20"),),
        (vtysh("no route-map ANNOUNCE-HUB-LAN permit 20"),),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
    ),
    Mutant(
        "a forwarding rule of the hub",
        "hub-ce-a",
        (nft("insert rule inet heiiki forward accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a"), ("R-ISO-CARRIER", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-SITE", "R-ISO-CARRIER"}),
    ),
    Mutant(
        "a port between two sites, by a name that misleads",
        "hub-ce-a",
        (
            nft(
                "insert rule inet heiiki forward iifname gre-a0017 oifname gre-a0042 tcp dport 5222"
                ' accept comment "ipsec"'
            ),
        ),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-SITE"}),
    ),
    Mutant(
        "a VRF's import",
        "a-pe2",
        (vtysh(*S0017, "rt vpn import 64601:1 64601:2"),),
        (vtysh(*S0017, "rt vpn import 64601:1"),),
        frozenset({("R-ISO-SITE", "config", "a-pe2")}),
    ),
    Mutant(
        "the PGW's rule between subscribers",
        "b-pgw",
        (nft("insert rule inet heiiki forward iifname gtp0 oifname gtp0 accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-SITE", "config", "b-pgw")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-SITE"}),
    ),
    Mutant(
        "keepalived on a standby gateway",
        "umeda-gw-b",
        (("systemctl", "stop", "keepalived"),),
        (("systemctl", "start", "keepalived"),),
        frozenset({("R-GAP", "config", "umeda-gw-b")}),
        ("config", "sessions"),
        live=frozenset({"R-DUAL"}),
    ),
    Mutant(
        "the program that keeps links",
        "sakai-gw-b",
        (("systemctl", "stop", "heiiki-links"),),
        (("systemctl", "start", "heiiki-links"),),
        frozenset({("R-GAP", "config", "sakai-gw-b"), ("R-DUAL", "config", "sakai-gw-b")}),
        ("config", "sessions"),
        live=frozenset({"R-DUAL"}),
    ),
    Mutant(
        "keepalived's priority, by a file that is put back",
        "umeda-gw-b",
        (
            sh(
                "cd /etc/keepalived && cp -p keepalived.conf kept && sed -i 's/priority 100/priority 90/'"
                " keepalived.conf && systemctl reload keepalived && mv kept keepalived.conf"
            ),
        ),
        (("systemctl", "reload", "keepalived"),),
        frozenset({("R-GAP", "config", "umeda-gw-b")}),
    ),
    Mutant(
        "the LAN watch",
        "umeda-ce-a",
        (("systemctl", "stop", "heiiki-lan-watch"),),
        (("systemctl", "start", "heiiki-lan-watch"),),
        frozenset({("R-GAP", "config", "umeda-ce-a")}),
    ),
    Mutant(
        "the guard against spoofed sources",
        "umeda-ce-a",
        (nft("flush chain inet heiiki from_lan0"), nft("flush chain inet heiiki from_lan0_v")),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE", "config", "umeda-ce-a")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-MALICE"}),
    ),
    Mutant(
        "the limits of what reaches a device itself",
        "hub-ce-a",
        (nft("flush chain inet heiiki limits"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-MALICE", "config", "hub-ce-a")}),
        live=frozenset({"R-ISO-MALICE"}),
    ),
    Mutant(
        "the closed group's filter",
        "dras",
        (nft("insert rule inet heiiki input accept"),),
        (RELOAD_FILTER,),
        frozenset({("R-ISO-GROUP", "config", "dras")}),
        ("config", "isolation"),
        live=frozenset({"R-ISO-GROUP"}),
    ),
    Mutant(
        "a subscription",
        "b-hss",
        (("sed", "-i.kept", "s/dr.beta.example/other.example/", "/etc/heiiki/subscribers.json"),),
        (("mv", "/etc/heiiki/subscribers.json.kept", "/etc/heiiki/subscribers.json"),),
        frozenset({("R-SEC-ACCESS", "config", "b-hss")}),
    ),
    Mutant(
        "an address",
        "umeda-gw-b",
        (("ip", "address", "add", "10.16.1.30/32", "dev", "lan0"),),
        (("ip", "address", "del", "10.16.1.30/32", "dev", "lan0"),),
        frozenset({("R-DUAL", "config", "umeda-gw-b")}),
    ),
    Mutant(
        "a second uplink with a default route",
        "umeda-ce-a",
        (
            ("ip", "link", "add", "usb0", "type", "dummy"),
            ("ip", "address", "add", "192.168.8.2/24", "dev", "usb0"),
            ("ip", "link", "set", "usb0", "up"),
            ("ip", "route", "add", "default", "via", "192.168.8.1"),
        ),
        (("ip", "link", "del", "usb0"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-CLOSED", "R-ISO-GROUP", "R-ISO-SITE"}),
    ),
    Mutant(
        "a strange host on the hub's LAN",
        "hub-lan",
        (
            ("ip", "link", "add", "strange", "type", "veth", "peer", "name", "leg"),
            ("ip", "netns", "add", "strange"),
            ("ip", "link", "set", "leg", "netns", "strange"),
            ("ip", "link", "set", "strange", "master", "br0", "up"),
            sh("ip -n strange address add 10.15.0.9/28 dev leg; ip -n strange link set leg up"),
        ),
        (("ip", "netns", "del", "strange"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-ISO-GROUP"}),
    ),
    Mutant(
        "a program that mirrors packets",
        "hub-ce-a",
        (("tc", "qdisc", "add", "dev", "lan0", "clsact"),),
        (("tc", "qdisc", "del", "dev", "lan0", "clsact"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-ISO-SITE", "R-ISO-CARRIER"}),
    ),
    Mutant(
        "a table of the packet filter beside ours",
        "hub-ce-a",
        (nft("add table ip nat"),),
        (nft("delete table ip nat"),),
        frozenset(),
        ("host",),
        live=frozenset(
            {
                "R-MINIMAL",
                "R-CLOSED",
                "R-ISO-GROUP",
                "R-ISO-SITE",
                "R-ISO-CARRIER",
                "R-ISO-MALICE",
                "R-SEC-ACCESS",
                "R-SEC-ESP",
            }
        ),
    ),
    Mutant(
        "a service that nobody planned",
        "xmpp",
        (
            (
                *("systemd-run", "--quiet", "--unit=backdoor", "--", "python3", "-m", "http.server"),
                *("--directory", "/run", "5222"),
            ),
        ),
        (("systemctl", "stop", "backdoor"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
    ),
    Mutant(
        "a drop-in that lifts a daemon's bounds",
        "umeda-gw-b",
        (
            sh(
                "printf '[Service]\\nCapabilityBoundingSet=~\\nNoNewPrivileges=false\\n'"
                " > /etc/systemd/system/strongswan.service.d/zz.conf"
            ),
        ),
        (("rm", "/etc/systemd/system/strongswan.service.d/zz.conf"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
    ),
    Mutant(
        "an IPsec state that nobody negotiated",
        "umeda-gw-b",
        (
            (
                *_STATE,
                "add",
                *_SELECTED,
                "mode",
                "transport",
                "aead",
                "rfc4106(gcm(aes))",
                f"0x{'5a' * 20}",
                "128",
            ),
        ),
        ((*_STATE, "delete", *_SELECTED),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-SEC-ACCESS"}),
    ),
    Mutant(
        "an address and a route of IPv6",
        "umeda-ce-a",
        (
            sh("echo 0 > /proc/sys/net/ipv6/conf/lan0/disable_ipv6"),
            ("ip", "-6", "address", "add", "2001:db8::17/64", "dev", "lan0"),
            ("ip", "-6", "route", "add", "default", "dev", "lan0"),
        ),
        (sh("echo 1 > /proc/sys/net/ipv6/conf/lan0/disable_ipv6"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-CLOSED", "R-ISO-GROUP", "R-ISO-SITE"}),
    ),
    Mutant(
        "a filter of tc below a queue of the kernel's own kinds",
        "umeda-ce-a",
        (
            ("tc", "qdisc", "replace", "dev", "lan0", "root", "handle", "1:", "fq_codel"),
            sh("tc filter add dev lan0 parent 1: protocol ip u32 match u32 0 0 flowid 1:1"),
        ),
        (("tc", "qdisc", "delete", "dev", "lan0", "root"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-ISO-SITE", "R-ISO-CARRIER"}),
    ),
    Mutant(
        "a subscription that runs, of a file that is put back",
        "b-pgw",
        (
            sh(
                f"cd /run && cp -p {_PGW} pgw.kept && sed 's/{_TEST_SIM}/{_TAKEN}/' pgw.kept > pgw.other"
                f" && cat pgw.other > {_PGW} && until grep -q '{_TAKEN}' /run/heiiki/pgw.json; do sleep 0.2;"
                f" done; touch -r {_PGW} pgw.stamp; cat pgw.kept > {_PGW}; touch -r pgw.stamp {_PGW}"
            ),
        ),
        (("touch", _PGW),),
        frozenset({("R-ISO-SITE", "config", "b-pgw"), ("R-SEC-ACCESS", "config", "b-pgw")}),
    ),
    Mutant(
        "an account, its key and a crontab",
        "vault",
        (
            sh("cp -p /etc/passwd /run/passwd; echo 'eve:x:1001:1001::/run/eve:/bin/sh' >> /etc/passwd"),
            sh("mkdir -p /run/eve/.ssh; echo 'ssh-ed25519 AAAA' > /run/eve/.ssh/authorized_keys"),
            sh("echo '* * * * * root true' > /etc/cron.d/eve"),
        ),
        (sh("cp -p /run/passwd /etc/passwd; rm -r /run/eve /etc/cron.d/eve"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
    ),
)


REPRESENTATIVE = frozenset(
    {
        "a VRF's import",
        "the PGW's rule between subscribers",
        "a subscription",
        "an address",
        "a port between two sites, by a name that misleads",
        "keepalived on a standby gateway",
        "a second uplink with a default route",
        "a strange host on the hub's LAN",
        "an IPsec state that nobody negotiated",
        "a subscription that runs, of a file that is put back",
        "a foreign CA and its list",
        "revocation that need not be known",
        "another device's certificate",
        "revocation lists that have expired",
    }
)
"""Those of `make test`; `make long` has all.

The state of a routing daemon, a packet filter as compared and as tried, a file with secrets, the kernel's
state; the state of the IKE daemon, a certificate, a revocation list.
"""


def chosen(mutants: "Sequence[Mutant | TrustMutant]") -> list[Any]:
    """Each mutant as a parameter of a test, marked for `make test` or `make long`."""
    marks = {True: pytest.mark.representative, False: pytest.mark.long}
    return [
        pytest.param(mutant, id=mutant.name, marks=marks[mutant.name in REPRESENTATIVE]) for mutant in mutants
    ]


class Bench:
    """The provisioned lab, and what its verification says."""

    def __init__(
        self, service: Service, builds: Sequence[DeviceBuild], transport: LabTransport, folder: Path
    ) -> None:
        self.service, self.plan, self.builds, self.transport = service, service.plan, builds, transport
        self._store = EvidenceStore(folder)
        self._baselines: dict[tuple[str, ...], Verdicts] = {}

    def verdicts(self, checks: tuple[str, ...]) -> Verdicts:
        found = [*self._verified(tuple(name for name in checks if name not in TRUST))]
        with fleet(self.transport, len(self.plan.devices)) as devices:
            for name in checks:
                if name in TRUST:
                    found += TRUST[name](self, devices)
        return {(item.requirement, str(item.stage), item.subject): item for item in found}

    def _verified(self, checks: tuple[str, ...]) -> tuple[Verdict, ...]:
        if not checks:
            return ()
        adds = partial(self.service.management.adds, self.plan)
        return verify(self.plan, self.builds, self.transport, self.keep, checks=checks, adds=adds).verdicts

    def authorities(self) -> tuple[x509.Certificate, ...]:
        return every(self.service.vault("comparing trust anchors").vault, self.plan.pki)

    def keep(self, name: str, raw: bytes) -> Evidence:
        return self._store.keep(name, raw)

    def baseline(self, checks: tuple[str, ...]) -> Verdicts:
        if checks not in self._baselines:
            self._baselines[checks] = self.verdicts(checks)
        return self._baselines[checks]

    def settled(self) -> None:
        """Wait until both paths of every site are up, for a tunnel that was set up again."""
        with fleet(self.transport, len(self.plan.devices)) as devices:
            Health(self.plan, devices).wait(30.0)

    def run(self, device: str, commands: tuple[Argv, ...]) -> None:
        for argv in commands:
            self.call(device, argv)

    def call(self, device: str, argv: Argv, stdin: bytes = b"") -> bytes:
        done = self.transport.run(device, argv, stdin=stdin)
        assert done.rc == 0, f"{device}: {argv}: {done.stderr.decode()}"
        return done.stdout


def files(bench: Bench, devices: Fleet) -> Iterator[Verdict]:
    """Check ``config``, of the two devices whose files a mutant of trust may change."""
    those = [build for build in bench.builds if build.device in {"umeda-gw-b", "hub-ce-b"}]
    return configuration.verdicts(bench.plan, those, devices, bench.keep)


TRUST: dict[str, Callable[[Bench, Fleet], Iterator[Verdict]]] = {
    "files": files,
    "associations": lambda bench, devices: trust_sas.verdicts(bench.plan, devices, bench.keep),
    "anchors": lambda bench, devices: trust_anchors.verdicts(
        bench.plan, devices, bench.keep, bench.authorities
    ),
    "certificates": lambda bench, devices: trust_certificates.verdicts(bench.plan, devices, bench.keep),
    "refusals": lambda bench, devices: trust_refusals.verdicts(
        bench.plan, bench.builds, devices, bench.keep, None
    ),
    "clear": lambda bench, devices: trust_clear.verdicts(bench.plan, bench.transport, devices, bench.keep),
}
"""Parts of checks ``config`` and ``trust``, which as a whole takes most of a minute."""


@pytest.fixture(scope="module")
def bench(provisioned: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    service = opened(provisioned)
    transport = LabTransport(lab_dir())
    yield Bench(service, tuple(compile_plan(service.plan)), transport, tmp_path_factory.mktemp("evidence"))
    transport.close()


@pytest.mark.parametrize("mutant", chosen(MUTANTS))
def test_a_mutant_flips_what_is_meant_for_it_and_nothing_else(bench: Bench, mutant: Mutant) -> None:
    before = bench.baseline(mutant.checks)
    assert mutant.flips or mutant.live
    assert results(before, mutant.flips) <= {"pass"}
    bench.run(mutant.device, mutant.breaks)
    try:
        after = bench.verdicts(mutant.checks)
    finally:
        bench.run(mutant.device, mutant.mends)
    flipped = differing(before, after)
    on_paper = {key for key in flipped if key[1] == "config"}
    assert on_paper == mutant.flips
    assert {key[0] for key in flipped - on_paper} == mutant.live
    failed = {key for key in flipped if results(after, {key}) == {"fail"}}
    assert on_paper <= failed
    assert {key[0] for key in failed - on_paper} == mutant.live


def results(verdicts: Verdicts, keys: Iterable[Key]) -> set[str]:
    return {str(verdicts[key].result) for key in keys}


def differing(before: Verdicts, after: Verdicts) -> set[Key]:
    assert after.keys() == before.keys()
    return {key for key, verdict in after.items() if verdict.result != before[key].result}


# --- trust

ACCESS, THEFT = "R-SEC-ACCESS", "R-THEFT"
SWANCTL, MUTANT, PKI = "/etc/swanctl/swanctl.conf", "/run/mutant.conf", "/etc/heiiki/pki"
AGENT = "/usr/local/lib/heiiki/heiiki-agent.pyz"
_PROGRAM = f"""
import pathlib, sys
sys.path.insert(0, {AGENT!r})
from heiiki_agent import files
from heiiki_agent.pki.store import Store
store = Store(pathlib.Path({PKI!r}))
files.write(store.folder / "loaded", store.digest())
"""
LOADED = ("python3", "-Bc", _PROGRAM)
"""Have it look as if all that is there had been loaded: lists grow old without a change of theirs."""
Act = Callable[[Bench], None]


@dataclass(frozen=True)
class TrustMutant:
    """What an attacker or a tired engineer does to trust; `flips` has for each verdict the reason to be told.

    Attributes:
        reloads: tunnels are set up again, both when it is done and when it is undone.
    """

    name: str
    breaks: Act
    mends: Act
    checks: tuple[str, ...]
    flips: dict[Key, str]
    reloads: bool = False


def at(device: str, *commands: Argv) -> Act:
    def act(bench: Bench) -> None:
        for argv in commands:
            bench.call(device, argv)

    return act


def both(*acts: Act) -> Act:
    def act(bench: Bench) -> None:
        for one in acts:
            one(bench)

    return act


def loads(device: str, edit: str) -> Act:
    """The IKE daemon is given connections edited by sed, behind the back of its file."""
    load = f"swanctl --load-conns --file {MUTANT}"
    return at(device, sh(f"sed '{edit}' {SWANCTL} > {MUTANT} && {load}"))


def watch_is(signal: str) -> Argv:
    """The watch is held while a mutant lives: it would load, or mend, what it finds within the minute."""
    return ("systemctl", "kill", f"--signal={signal}", "heiiki-revocation")


def wears_the_certificate_of(thief: str, victim: str) -> Act:
    """A generation of the store that is another device's, whole and in itself good."""

    def act(bench: Bench) -> None:
        bench.call(thief, watch_is("STOP"))
        bench.call(thief, sh(f"readlink {PKI}/current > {MUTANT}; mkdir -m 0700 {PKI}/generations/9999"))
        for name in ("key.pem", "certificate.pem", "chain.pem"):
            stolen = bench.call(victim, ("cat", f"{PKI}/current/{name}"))
            bench.call(thief, sh(f"umask 077; cat > {PKI}/generations/9999/{name}"), stolen)
        bench.call(thief, sh(f"ln -sfn generations/9999 {PKI}/current"))

    return act


def outlived(pem: bytes) -> bytes:
    """The same revocation lists as of last week."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    lists = b""
    for block in re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n", pem, re.DOTALL):
        old = x509.load_pem_x509_crl(block)
        new = x509.CertificateRevocationListBuilder().issuer_name(old.issuer)
        new = new.last_update(now - timedelta(days=7)).next_update(now - timedelta(days=4))
        for extension in old.extensions:
            new = new.add_extension(extension.value, extension.critical)
        lists += new.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return lists


def has_old_lists(device: str) -> Act:
    def act(bench: Bench) -> None:
        bench.call(device, watch_is("STOP"))
        bench.call(device, ("cp", "-p", f"{PKI}/crl.pem", MUTANT))
        bench.call(device, sh(f"cat > {PKI}/crl.pem"), outlived(bench.call(device, ("cat", MUTANT))))
        bench.call(device, LOADED)

    return act


def believes_a_foreign_ca(device: str) -> Act:
    """A CA of the service's own name and its list, beside those that the service put there."""

    def act(bench: Bench) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Heiiki lab root CA 1")])
        basic, day = x509.BasicConstraints(ca=True, path_length=None), timedelta(days=1)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).add_extension(basic, critical=True)
        authority = made.not_valid_before(now - day).not_valid_after(now + day).sign(key, hashes.SHA256())
        listed = x509.CertificateRevocationListBuilder().issuer_name(name)
        revoked = listed.last_update(now - day).next_update(now + day).sign(key, hashes.SHA256())
        for folder, one in (("x509ca", authority), ("x509crl", revoked)):
            bench.call(device, sh(f"cat > {FOREIGN.format(folder)}"), one.public_bytes(Encoding.PEM))
        bench.call(device, ("swanctl", "--load-creds", "--noprompt"))

    return act


FOREIGN = "/etc/swanctl/{}/zz.pem"
HUB_SIDE = "/s0017 {/,/^.}/"
WEAK = "s/esp_proposals = .*/esp_proposals = aes128-sha256/"
MORE = r"s/\bproposals = /&aes256-sha256-modp3072,/"
UNPROTECTED = ("nft flush chain inet heiiki output", "nft flush chain inet heiiki encrypted")

TRUST_MUTANTS = (
    TrustMutant(
        "a weaker suite",
        both(
            loads("hub-ce-b", f"{HUB_SIDE}{WEAK}"),
            at("umeda-gw-b", ("sed", "-i.kept", WEAK, SWANCTL), ("swanctl", "--load-conns")),
        ),
        both(
            at("hub-ce-b", ("swanctl", "--load-conns")),
            at("umeda-gw-b", ("mv", f"{SWANCTL}.kept", SWANCTL), ("swanctl", "--load-conns")),
        ),
        ("files", "associations"),
        {
            (ACCESS, "config", "umeda-gw-b"): SWANCTL,
            (ACCESS, "live", "umeda-gw-b to hub-ce-b"): "ESP uses AES_CBC-128",
        },
        reloads=True,
    ),
    TrustMutant(
        "a pre-shared key",
        at(
            "umeda-ce-a",
            sh(
                f"echo 'secrets {{ ike-guest {{ secret = letmein }} }}' > {MUTANT}"
                f" && swanctl --load-creds --noprompt --file {MUTANT}"
            ),
        ),
        at("umeda-ce-a", ("swanctl", "--load-creds", "--clear", "--noprompt")),
        ("associations",),
        {(ACCESS, "config", "IKE daemon of umeda-ce-a"): "pre-shared keys are loaded"},
    ),
    TrustMutant(
        "a foreign CA and its list",
        believes_a_foreign_ca("hub-ce-b"),
        at(
            "hub-ce-b",
            ("rm", FOREIGN.format("x509ca"), FOREIGN.format("x509crl")),
            ("swanctl", "--load-creds", "--clear", "--noprompt"),
        ),
        ("associations", "anchors", "certificates"),
        {
            (ACCESS, "config", "trust anchors of hub-ce-b"): "no CA of the service",
            ("R-SEC-ESP", "config", "trust anchors of hub-ce-b"): "no CA of the service",
        },
    ),
    TrustMutant(
        "a liveness check that nobody waits for",
        loads("hub-ce-b", "s/dpd_delay = .*/dpd_delay = 600s/"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("associations",),
        {
            (ACCESS, "config", "IKE daemon of hub-ce-b"): "dpd_delay is 600",
            ("R-SEC-ESP", "config", "IKE daemon of hub-ce-b"): "dpd_delay is 600",
        },
    ),
    TrustMutant(
        "revocation that need not be known",
        loads("hub-ce-b", "/s0042 {/,/^.}/s/revocation = strict/revocation = ifuri/"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("associations",),
        {(ACCESS, "config", "IKE daemon of hub-ce-b"): "s0042: takes a certificate whose revocation"},
    ),
    TrustMutant(
        "a suite beside the plan's, that no file has",
        loads("hub-ce-b", f"{HUB_SIDE}{MORE}"),
        at("hub-ce-b", ("swanctl", "--load-conns")),
        ("refusals",),
        {(ACCESS, "live", "IKE by another suite: umeda-gw-b to hub-ce-b"): "MODP_3072"},
    ),
    TrustMutant(
        "the rule that nothing leaves in clear",
        at("umeda-gw-b", *(tuple(rule.split()) for rule in UNPROTECTED)),
        at("umeda-gw-b", RELOAD_FILTER),
        ("files", "clear"),
        {
            (ACCESS, "config", "umeda-gw-b"): "/etc/nftables.conf",
            (ACCESS, "live", "tunnel down: umeda-gw-b to hub-ce-b"): "packets in clear",
        },
    ),
    TrustMutant(
        "another device's certificate",
        wears_the_certificate_of("umeda-gw-b", "sakai-gw-b"),
        at(
            "umeda-gw-b",
            sh(f"ln -sfn $(cat {MUTANT}) {PKI}/current; rm -r {PKI}/generations/9999"),
            watch_is("CONT"),
        ),
        ("associations", "certificates"),
        {(ACCESS, "live", "certificate of umeda-gw-b"): "its dns are sakai-gw-b"},
    ),
    TrustMutant(
        "the watch of revocation lists",
        at("umeda-ce-a", ("systemctl", "stop", "heiiki-revocation")),
        at("umeda-ce-a", ("systemctl", "start", "heiiki-revocation")),
        ("associations", "certificates"),
        {(THEFT, "live", "revocation at umeda-ce-a"): "no watch fetches them"},
    ),
    TrustMutant(
        "revocation lists that have expired",
        has_old_lists("hub-ce-a"),
        at(
            "hub-ce-a",
            ("mv", MUTANT, f"{PKI}/crl.pem"),
            LOADED,
            watch_is("CONT"),
        ),
        ("associations", "certificates"),
        {(THEFT, "live", "revocation at hub-ce-a"): "has expired"},
    ),
)


@pytest.mark.parametrize("mutant", chosen(TRUST_MUTANTS))
def test_a_mutant_of_trust_flips_what_is_meant_for_it_and_nothing_else(
    bench: Bench, mutant: TrustMutant
) -> None:
    before = bench.baseline(mutant.checks)
    assert results(before, mutant.flips) == {"pass"}
    mutant.breaks(bench)
    try:
        if mutant.reloads:
            bench.settled()
        after = bench.verdicts(mutant.checks)
    finally:
        mutant.mends(bench)
        if mutant.reloads:
            bench.settled()
    assert differing(before, after) == set(mutant.flips)
    assert results(after, mutant.flips) == {"fail"}
    assert {
        key: after[key].reason for key, told in mutant.flips.items() if told not in after[key].reason
    } == {}


def test_the_representatives_are_mutants() -> None:
    assert {mutant.name for mutant in (*MUTANTS, *TRUST_MUTANTS)} >= REPRESENTATIVE


@pytest.mark.representative
@pytest.mark.parametrize("checks", [("config",), ("associations", "certificates")], ids=" and ".join)
def test_after_the_mutants_all_is_as_before(bench: Bench, checks: tuple[str, ...]) -> None:
    assert differing(bench.baseline(checks), bench.verdicts(checks)) == set()
