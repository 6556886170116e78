"""Text becomes a tree; what is none of the platform is refused, with its line and without its secrets."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heiiki import platforms
from heiiki.errors import PlatformError

MALFORMED = {
    "indented first": (
        "frr",
        " ip ospf area 0",
        "line 1: ip ospf area 0: is indented, but no section is open; begin it in the first column",
    ),
    "wrong depth": (
        "frr",
        "bfd\n   profile a\n  profile b\n",
        "line 3: profile b: its indentation is that of no line above; give it that of its neighbours",
    ),
    "below a line that opens nothing": (
        "frr",
        "hostname a\n neighbor 10.0.0.1 password S3cret\n",
        (
            "line 2: neighbor 10.0.0.1 password <secret>: stands below hostname a (line 1), "
            "which opens no section; check its indentation"
        ),
    ),
    "without indentation": (
        "frr",
        "router bgp 65001\nneighbor 10.0.0.1 remote-as 64601\nexit\n",
        "line 3: exit: leaves a section, but none is open here; check the indentation above",
    ),
    "two values": (
        "cisco_iosxe",
        "hostname a\n!\nhostname b\n",
        "line 3: hostname b: contradicts hostname a of line 1; keep one of them",
    ),
    "two secrets": (
        "yamaha_rtx",
        "login password S3cretOne\nlogin password S3cretTwo\n",
        "line 2: login password <secret>: contradicts login password <secret> of line 1; keep one of them",
    ),
    "no end of a banner": (
        "cisco_iosxe",
        "hostname a\nbanner motd ^C\nhello\n",
        "line 2: banner motd ^C: its text has no end; close it by ^C",
    ),
    "what a pager left": (
        "nec_ix",
        "hostname a\n--More--\x08\x08 ip route default 10.0.0.1\n",
        (
            r"line 2: --More--\x08\x08 ip route default 10.0.0.1: holds a control character; "
            "read the device again, without its pager"
        ),
    ),
    "another command": (
        "juniper_junos",
        "set system host-name a\nsystem host-name b\n",
        "line 2: system host-name b: is no path; it has to begin with set or deactivate",
    ),
    "a quotation mark": (
        "juniper_junos",
        'set system host-name a\nset system login message "a',
        'line 2: set system login message "a: a quotation mark is not closed; close it',
    ),
    "a quotation mark in braces": (
        "juniper_junos",
        'system {\n    host-name "a;\n}\n',
        "line 2: host-name: a quotation mark is not closed; close it",
    ),
    "an open brace": (
        "juniper_junos",
        "system {\n    services {\n        ssh;\n    }\n",
        "line 1: system: is not ended; close its brace, or end it with a semicolon",
    ),
    "a brace too many": (
        "juniper_junos",
        "system {\n    services;\n}\n}\n",
        "line 4: }: closes no brace; remove it",
    ),
    "no semicolon": (
        "juniper_junos",
        "system {\n    host-name a\n}\n",
        "line 3: host-name a: has no semicolon; end it with one",
    ),
    "braces of nothing": (
        "juniper_junos",
        "{\n}\n",
        "line 1: }: a brace is opened by nothing; write before it what it belongs to",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_refused_with_its_line(case: str) -> None:
    name, text, message = MALFORMED[case]
    with pytest.raises(PlatformError) as caught:
        platforms.of(name).read(text)
    assert str(caught.value) == message


def test_a_comparison_refuses_malformed_text_on_either_side() -> None:
    frr = platforms.of("frr")
    for texts in ((" a", "hostname b"), ("hostname b", " a"), (" a", " a")):
        with pytest.raises(PlatformError):
            frr.compare(*texts)


def test_an_unknown_platform_is_refused_by_the_known_ones() -> None:
    with pytest.raises(PlatformError) as caught:
        platforms.of("vyos")
    assert str(caught.value) == (
        "'vyos': there is no platform of this name; "
        "take one of cisco_iosxe, frr, juniper_junos, nec_ix, yamaha_rtx"
    )


def test_a_tree_of_another_platform_is_refused() -> None:
    tree = platforms.of("frr").read("hostname a")
    with pytest.raises(PlatformError) as caught:
        platforms.of("nec_ix").compare(tree, "hostname a")
    assert "platforms.of('nec_ix')" in str(caught.value)


def test_the_normal_form_is_read_as_itself() -> None:
    text = "interface lo\n ip ospf area 0\n!\nexit\nrouter ospf\n  ospf router-id 10.0.0.1\nexit\nend\n"
    frr = platforms.of("frr")
    tree = frr.read(text)
    assert tree.text == "interface lo\n ip ospf area 0\nrouter ospf\n ospf router-id 10.0.0.1\n"
    assert frr.read(tree.text) == tree


def test_parts_of_one_section_are_one() -> None:
    tree = platforms.of("frr").read(
        "interface lo\n ip ospf area 0\nexit\ninterface lo\n ip ospf cost 3\n ip ospf area 0\nexit\n"
    )
    assert tree.text == "interface lo\n ip ospf area 0\n ip ospf cost 3\n"


def test_entries_without_a_number_get_the_device_s() -> None:
    text = "ip access-list extended A\n permit ip any any\n 15 remark x\n deny ip any any\n"
    assert platforms.of("cisco_iosxe").read(text).text == (
        "ip access-list extended A\n 10 permit ip any any\n 15 remark x\n 20 deny ip any any\n"
    )


def test_a_banner_is_text_whatever_is_in_it() -> None:
    iosxe = platforms.of("cisco_iosxe")
    one, other = (f"banner motd ^C\n! no comment\n  hello {n}\n^C\nhostname a\n" for n in "12")
    assert "! no comment" in iosxe.read(one).text
    change = iosxe.compare(one, other)
    assert change.remediation == ("banner motd ^C\n! no comment\n  hello 2\n^C",)
    assert "-  hello 1\n+  hello 2\n" in change.diff
    assert iosxe.compare(one, one.replace("! no comment", "! other")).remediation


def test_braces_and_paths_are_the_same_configuration() -> None:
    braces = """\
## Last commit: 2026-11-30 05:00:00 UTC by ops
version 23.4R1;
system {
    host-name ce-a;
    /* how it
       is reached */
    services {
        ssh;
    }
    login {
        user ops {
            authentication {
                encrypted-password "S3cret x"; ## SECRET-DATA
            }
        }
    }
}
interfaces {
    inactive: ge-0/0/1 {
        unit 0;
    }
    lo0 {
    }
}
protocols {
    bgp {
        group PE {
            export [ A B ];
        }
    }
}
"""
    paths = """\
set version 23.4R1
set system host-name ce-a
set system services ssh
set system login user ops authentication encrypted-password "S3cret x"
set interfaces ge-0/0/1 unit 0
deactivate interfaces ge-0/0/1
set interfaces lo0
set protocols bgp group PE export [ A B ]
"""
    junos = platforms.of("juniper_junos")
    assert junos.read(braces) == junos.read(paths)
    assert not junos.compare(braces, paths)
    assert junos.read(braces).untouched == ("set version 23.4R1",)


@pytest.mark.parametrize("name", platforms.names())
@given(text=st.text(alphabet=' \n\t{}[];!#^"noexitsetbanner \x08', max_size=60))
@example(text="set a [ b\nset [ ]\n")
@example(text="exit\nend\n exit")
def test_any_text_is_read_or_refused_in_words(name: str, text: str) -> None:
    refused = ""
    try:
        assert not platforms.of(name).compare(text, text)
    except PlatformError as error:
        refused = str(error)
    assert refused == "" or refused.startswith("line ")


def test_what_a_router_prints_is_read() -> None:
    """With parts that no table knows, as a device has them from the factory."""
    text = """\
Building configuration...

Current configuration : 6213 bytes
!
! Last configuration change at 05:00:00 UTC Mon Nov 30 2026 by ops
!
version 17.12
service timestamps debug datetime msec
platform qfp utilization monitor load 80
!
hostname ce-a
!
boot-start-marker
boot-end-marker
!
aaa group server radius R
 server name one
!
radius server one
 address ipv4 10.0.0.1 auth-port 1812 acct-port 1813
 key 7 S3cret
!
call-home
 contact-email-addr a@example.net
 profile "CiscoTAC-1"
  active
  destination transport-method http
!
crypto pki certificate chain SLA-TrustPoint
 certificate ca 01
  30820321 30820209 A0030201 02020101 300D0609 2A864886 F70D0101 0B050030
  D697DF7F 28
  \tquit
!
redundancy
 mode none
!
interface GigabitEthernet0/0/0
 no ip address
 negotiation auto
!
router bgp 65001
 template peer-policy P
  maximum-prefix 10
 exit-peer-policy
 !
 bgp log-neighbor-changes
 !
 address-family ipv4
 exit-address-family
!
control-plane
!
banner login ^C
Authorised use only.
! not a comment
^C
!
line con 0
 stopbits 1
line vty 0 4
 login
!
end
"""
    iosxe = platforms.of("cisco_iosxe")
    tree = iosxe.read(text)
    assert not iosxe.compare(text, tree.text)
    assert "D697DF7F" not in tree.text
    assert "banner login ^C\nAuthorised use only.\n! not a comment\n^C\n" in tree.text
    assert "interface GigabitEthernet0/0/0\n negotiation auto\n" in tree.text
    assert " template peer-policy P\n  maximum-prefix 10\n bgp log" in tree.text
    assert "S3cret" not in iosxe.compare(text, "hostname ce-a\n").diff


@pytest.mark.parametrize("name", ["cisco_iosxe", "frr", "nec_ix"])
def test_the_end_below_a_configuration_is_no_line_that_counts(name: str) -> None:
    ours, text = platforms.of(name), "hostname a\nrouter bgp 64601\n"
    assert ours.source(f"{text}end\n") == ours.source(text) == ("hostname a", "router bgp 64601")
    assert ours.read(f"{text}end\n").lines == ours.read(text).lines
    assert ours.source(f"{text} neighbor end\n") != ours.source(text)
