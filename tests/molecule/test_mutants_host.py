"""A verification that cannot fail proves nothing: mutants of what a host has beside the plan."""

import pytest

from .mutants import Bench, Key, Mutant, chosen, nft, sh, try_mutant

_STATE = ("ip", "xfrm", "state")
_SELECTED = ("src", "10.112.0.17", "dst", "10.112.0.42", "proto", "esp", "spi", "0x0badcafe")
_BYPASS = ("dir", "out", "src", "10.112.0.17", "dst", "10.201.0.1")
_LISTENER = "import socket, time; heard = socket.socket(17, 3, 0x0300); time.sleep(600)"


def _daemon(device: str) -> frozenset[Key]:
    """What the values of an IKE daemon serve at a site's gateway."""
    return frozenset((name, "config", device) for name in ("R-GAP", "R-SEC-ACCESS"))


_ZZ = "/etc/strongswan.d/zz.conf"
_TIMERS = sh(f"printf 'charon {{\\n retransmit_tries = 50\\n}}\\n' > {_ZZ}")
_RELOAD = ("systemctl", "reload", "strongswan")

MUTANTS = (
    Mutant(
        "settings that the IKE daemon reads after ours",
        "umeda-gw-b",
        (_TIMERS, _RELOAD),
        (("rm", _ZZ), _RELOAD),
        _daemon("umeda-gw-b"),
    ),
    Mutant(
        "settings that are gone since the IKE daemon read them",
        "umeda-gw-b",
        (_TIMERS, _RELOAD, ("sleep", "1.1"), ("rm", _ZZ)),
        (_RELOAD,),
        _daemon("umeda-gw-b"),
    ),
    Mutant(
        "settings of a package that were edited",
        "hub-ce-b",
        (
            ("cp", "-p", "/etc/strongswan.d/charon/revocation.conf", "/run/kept.conf"),
            sh("echo 'enable_crl = no' >> /etc/strongswan.d/charon/revocation.conf"),
        ),
        (("cp", "-p", "/run/kept.conf", "/etc/strongswan.d/charon/revocation.conf"), _RELOAD),
        _daemon("hub-ce-b") | {("R-SEC-ESP", "config", "hub-ce-b")},
    ),
    Mutant(
        "a file of one of FRRouting's daemons",
        "umeda-ce-a",
        (sh("echo 'ip route 10.112.0.0/16 lan0' > /etc/frr/staticd.conf"),),
        (("rm", "/etc/frr/staticd.conf"),),
        frozenset(
            (name, "config", "umeda-ce-a")
            for name in ("R-GAP", "R-DUAL", "R-ISO-SITE", "R-ISO-MALICE/control")
        ),
    ),
    Mutant(
        "keys for the SSH server elsewhere",
        "xmpp",
        (sh("echo 'AuthorizedKeysFile /run/keys' > /etc/ssh/sshd_config.d/zz.conf"),),
        (("rm", "/etc/ssh/sshd_config.d/zz.conf"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
    ),
    Mutant(
        "a key that logs in as root",
        "dras",
        (sh("mkdir -p /root/.ssh; echo 'ssh-ed25519 AAAA somebody' > /root/.ssh/authorized_keys"),),
        (("rm", "/root/.ssh/authorized_keys"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
    ),
    Mutant(
        "a package that nobody needs",
        "umeda-bems",
        (
            sh(
                "mkdir -p /run/tool/DEBIAN && printf '%s\\n' 'Package: tool' 'Version: 1' 'Architecture: all'"
                " 'Maintainer: Somebody <s@example.org>' 'Description: a tool' > /run/tool/DEBIAN/control"
            ),
            ("dpkg-deb", "--build", "/run/tool", "/run/tool.deb"),
            ("dpkg", "--install", "/run/tool.deb"),
        ),
        (("dpkg", "--purge", "tool"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL"}),
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
        representative=True,
    ),
    Mutant(
        "a strange host on the hub's LAN, by the XMPP server's address",
        "hub-lan",
        (
            ("ip", "link", "add", "strange", "type", "veth", "peer", "name", "leg"),
            ("ip", "netns", "add", "strange"),
            ("ip", "link", "set", "leg", "netns", "strange"),
            ("ip", "link", "set", "strange", "master", "br0", "up"),
            sh("ip -n strange address add 10.15.0.5/28 dev leg; ip -n strange link set leg up"),
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
            ("systemctl", "daemon-reload"),
        ),
        (
            ("rm", "/etc/systemd/system/strongswan.service.d/zz.conf"),
            ("systemctl", "daemon-reload"),
        ),
        _daemon("umeda-gw-b"),
        ("config", "host"),
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
        representative=True,
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
        "routes that lead nowhere, or claim to be BGP's",
        "hub-ce-b",
        (
            ("ip", "route", "add", "blackhole", "10.16.1.20/32"),
            ("ip", "route", "add", "10.16.2.176/28", "dev", "lan0", "proto", "bgp"),
        ),
        (
            ("ip", "route", "del", "blackhole", "10.16.1.20/32"),
            ("ip", "route", "del", "10.16.2.176/28", "dev", "lan0", "proto", "bgp"),
        ),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-CLOSED", "R-ISO-GROUP", "R-ISO-SITE"}),
        representative=True,
    ),
    Mutant(
        "an IPsec policy that demands nothing, before the one that does",
        "umeda-gw-b",
        (("ip", "xfrm", "policy", "add", *_BYPASS, "priority", "1", "action", "allow"),),
        (("ip", "xfrm", "policy", "delete", *_BYPASS),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-SEC-ACCESS"}),
    ),
    Mutant(
        "proxy ARP on a LAN",
        "umeda-ce-a",
        (sh("echo 1 > /proc/sys/net/ipv4/conf/lan0-v/proxy_arp"),),
        (sh("echo 0 > /proc/sys/net/ipv4/conf/lan0-v/proxy_arp"),),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-ISO-GROUP", "R-ISO-SITE", "R-ISO-MALICE"}),
    ),
    Mutant(
        "a program that hears every frame",
        "hub-ce-a",
        (
            ("ip", "link", "set", "lan0", "promisc", "on"),
            ("systemd-run", "--quiet", "--unit=listener", "--", "python3", "-c", _LISTENER),
        ),
        (("systemctl", "stop", "listener"), ("ip", "link", "set", "lan0", "promisc", "off")),
        frozenset(),
        ("host",),
        live=frozenset({"R-MINIMAL", "R-ISO-SITE", "R-ISO-CARRIER"}),
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


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "host"))
def test_a_mutant_flips_what_is_meant_for_it_and_nothing_else(bench: Bench, mutant: Mutant) -> None:
    try_mutant(bench, mutant)
