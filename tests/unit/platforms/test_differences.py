"""What a comparison shows, sends and leaves alone."""

import re
from pathlib import Path

import pytest
from platform_worlds import WORLDS

from heiiki import platforms

COMPILED = Path(__file__).parents[2] / "golden" / "compile"
FRR_FILES = sorted(COMPILED.glob("*/etc/frr/frr.conf"))

SECRETS = {
    "frr": (
        "router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 password {}\n",
        "key chain a\n key 1\n  key-string {}\n",
        "interface eth1\n ip ospf authentication-key {}\n",
        "interface eth1\n ip ospf message-digest-key 1 md5 {}\n",
        "mpls ldp\n neighbor 10.0.0.1 password {}\n",
        "something new secret {}\n",
    ),
    "cisco_iosxe": (
        "username ops privilege 15 secret 9 {}\n",
        "enable secret 9 {}\n",
        "router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 password 7 {}\n",
        "interface Dialer1\n ppp chap password 0 {}\n",
        "interface Dialer1\n ppp pap sent-username u password 0 {}\n",
        "snmp-server community {} RO\n",
        "snmp-server host 10.0.0.1 version 2c {}\n",
        "ntp authentication-key 1 md5 {} 7\n",
        "key chain a\n key 1\n  key-string {}\n",
        "crypto ikev2 keyring K\n peer p\n  pre-shared-key {}\n",
        "crypto isakmp key {} address 10.0.0.1\n",
        "interface GigabitEthernet1\n vrrp 1 authentication {}\n",
        "line vty 0 4\n password 7 {}\n",
        "radius server r\n key 7 {}\n",
    ),
    "juniper_junos": (
        'set system login user ops authentication encrypted-password "{}"\n',
        'set protocols bgp group PE authentication-key "{}"\n',
        'set security ike policy P pre-shared-key ascii-text "{}"\n',
        "set security ike policy P pre-shared-key hexadecimal {}\n",
        'set interfaces pp0 unit 0 ppp-options chap default-chap-secret "{}"\n',
        'set snmp v3 usm local-engine user u authentication-sha authentication-password "{}"\n',
        'set system radius-server 10.0.0.1 secret "{}"\n',
        'set protocols ospf area 0 interface ge-0/0/0.0 authentication md5 1 key "{}"\n',
        "set snmp community {} authorization read-only\n",
        'set system ntp authentication-key 1 value "{}"\n',
    ),
    "yamaha_rtx": (
        "login password {}\n",
        "administrator password encrypted {}\n",
        "login user ops encrypted {}\n",
        "tunnel select 1\n ipsec tunnel 1\n  ipsec ike pre-shared-key 1 text {}\n",
        "pp select 1\n pp auth myname u {}\n",
        "bgp neighbor pre-shared-key 1 text {}\n",
        "pki certificate file 1 /a.p12 pkcs12 {}\n",
        "snmp community read-only {}\n",
        "snmpv3 usm user 1 u md5 {} des-cbc {}\n",
        "snmpv3 usm user 1 u group 1 sha {} aes128-cfb {}\n",
    ),
    "nec_ix": (
        "username ops password plain {} administrator\n",
        "username ops hash {} administrator\n",
        "ikev2 authentication psk id ipv4 10.0.0.1 key char {}\n",
        "ppp profile P\n authentication password u {}\n",
        "snmp-agent ip community {} 1\n",
        "snmpv3 user u group g auth sha {} priv aes {}\n",
        "router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 password {}\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "line"), [(name, line) for name, lines in SECRETS.items() for line in lines]
)
def test_no_secret_is_shown_and_no_old_one_is_sent(name: str, line: str) -> None:
    platform = platforms.of(name)
    old, new = (line.replace("{}", secret) for secret in ("S3cretOld", "S3cretNew"))
    for running, intended in (("", new), (old, ""), (old, new)):
        change = platform.compare(running, intended)
        assert change
        assert "S3cret" not in change.diff + repr(change)
        assert "<secret>" in change.diff
        assert "S3cret" not in "".join(map(platform.masked, (*change.remediation, *change.rollback)))
    if "something new" not in line and "radius server" not in line and name != "juniper_junos":
        assert "S3cretOld" not in "".join(platform.compare(old, "").remediation)


def test_placeholders_of_a_build_are_masked() -> None:
    line = "neighbor 10.0.0.1 password {{secret:routing/a:key}}"
    assert platforms.of("frr").masked(line) == "neighbor 10.0.0.1 password <secret>"


def test_prose_is_no_secret() -> None:
    assert (
        platforms.of("frr").masked(" description the secret of success")
        == " description the secret of success"
    )


@pytest.mark.parametrize("name", platforms.names())
def test_what_belongs_to_the_device_is_never_sent(name: str) -> None:
    """Not when it is missing in what is intended, nor when something else stands there."""
    world = WORLDS[name]
    some = "\n".join(forms[0] for forms in world.pieces)
    platform = platforms.of(name)
    for running, intended in (
        (world.untouched + some, some),
        (some, world.untouched + some),
        (world.untouched, ""),
    ):
        change = platform.compare(running, intended)
        assert change.diff == ""
        assert change.remediation == change.rollback == ()
    removed = "\n".join(platform.compare(world.untouched + some, "").remediation)
    for line in world.untouched.splitlines():
        words = line.strip().removeprefix("set ")
        assert words in {"exit", "quit"} or words not in removed


def test_paths_around_what_is_untouched_are_not_deleted() -> None:
    change = platforms.of("juniper_junos").compare(
        "set system root-authentication encrypted-password x\nset system host-name a\nset snmp location b\n",
        "",
    )
    assert change.remediation == ("delete snmp", "delete system host-name")


def test_lines_that_a_device_never_shows_are_told_apart() -> None:
    intended = "hostname a\nsnmp-server user mon G v3 auth sha S3cretAuth priv aes 128 S3cretPriv\n"
    change = platforms.of("cisco_iosxe").compare("hostname a\n", intended)
    assert not change
    assert change.hidden == ("snmp-server user mon G v3 auth sha S3cretAuth priv aes 128 S3cretPriv",)
    assert "S3cret" not in repr(change)
    masked = "snmp-server user mon G v3 auth sha <secret> priv aes 128 <secret>"
    assert platforms.of("cisco_iosxe").masked(change.hidden[0]) == masked


def test_order_that_says_nothing_is_no_difference() -> None:
    one = "ntp server x\nhostname a\ninterface Tunnel0\n description x\n ip address 10.1.0.1 255.0.0.0\n"
    two = "interface Tunnel0\n ip address 10.1.0.1 255.0.0.0\n description x\nhostname a\nntp server x\n"
    assert platforms.of("cisco_iosxe").compare(one, two) == platforms.of("cisco_iosxe").compare(one, one)
    change = platforms.of("cisco_iosxe").compare(one, two.replace("description x", "description y"))
    assert [line for line in change.diff.splitlines() if re.match("[-+] ", line)] == [
        "- description x",
        "+ description y",
    ]


def test_a_change_of_bgp_is_followed_by_its_refresh_on_yamaha() -> None:
    rtx = platforms.of("yamaha_rtx")
    assert rtx.compare("bgp use on\n", "bgp use on\nbgp neighbor 1 64601 10.9.0.1\n").remediation == (
        "bgp neighbor 1 64601 10.9.0.1",
        "bgp configure refresh",
    )
    assert (
        "bgp configure refresh"
        not in rtx.compare("bgp use on\n", "bgp use on\nsyslog host 10.0.0.1\n").remediation
    )


@pytest.mark.parametrize("name", platforms.names())
def test_no_change_logs_out(name: str) -> None:
    """On a Yamaha, leaving a section by `exit` would log out, and so confirm the change."""
    rtx = WORLDS[name]
    everything = "\n".join(forms[0] for forms in rtx.pieces)
    change = platforms.of(name).compare("", everything)
    assert ("exit" in {line.strip() for line in change.remediation}) == (
        name not in {"yamaha_rtx", "juniper_junos"}
    )


@pytest.mark.parametrize("place", range(len(FRR_FILES)), ids=lambda place: FRR_FILES[place].parts[-4])
def test_what_is_rendered_for_frr_round_trips(place: int) -> None:
    """From each router of the worked example to the one before it, and to itself."""
    file = FRR_FILES[place]
    frr, world = platforms.of("frr"), WORLDS["frr"]
    text = file.read_text(encoding="utf-8")
    for other in (FRR_FILES[place - 1], file):
        device = world.device(text.removesuffix("end\n"))
        before = world.state(device)
        change = frr.compare(device.show(), other.read_text(encoding="utf-8"))
        device.send(change.remediation)
        assert not frr.compare(device.show(), other.read_text(encoding="utf-8"))
        device.send(change.rollback)
        assert world.state(device) == before
        assert bool(change) == (other != file)
