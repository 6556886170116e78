"""FRRouting's keys: hidden wherever others see its configuration, and changed without being shown."""

import os
from pathlib import Path

import pytest

from heiiki_agent import frr

CANARY = "canary4e5f60718a9b"
CONFIG = """hostname x
key chain core-p1
 key 1
  cryptographic-algorithm hmac-sha-256
  key-string {ospf}
 exit
exit
!
interface core-p1
 ip ospf authentication key-chain core-p1
 ip ospf message-digest-key 1 md5 {ospf}
exit
!
mpls ldp
 neighbor 10.0.0.1 password {ldp}
exit
!
router bgp 1 vrf a
 neighbor 10.0.0.1 remote-as 2
 neighbor 10.0.0.1 password {bgp}
exit
!
end
"""


def config(ospf: str = "one", ldp: str = "two", bgp: str = "three") -> str:
    return CONFIG.format(ospf=ospf, ldp=ldp, bgp=bgp)


@pytest.mark.parametrize(
    "line",
    [
        " neighbor 10.0.0.1 password {}",
        "  key-string {}",
        " ip ospf message-digest-key 1 md5 {}",
        " ip ospf authentication-key {}",
        "password 8 {}",
        " ip rip authentication string {}",
        'Executed "router bgp 1 -- no neighbor 10.0.0.1 password {}"',
        "Failed to execute configure router bgp 1 no neighbor 10.0.0.1 password {}",
        "['router bgp 1\\n neighbor 10.0.0.1 password {}\\nexit\\n',",
        "line 7: % Unknown command: neighbor 10.0.0.1 password a {}",
        'VtyshException("vtysh returned status 1 for command "neighbor 1.1.1.1 password {}"")',
    ],
)
def test_a_key_is_hidden_in_whatever_frrouting_says(line: str) -> None:
    assert CANARY not in frr.masked(f"before\n{line.format(CANARY)}\nafter")
    assert frr.masked(f"before\n{line.format(CANARY)}\nafter").splitlines()[::2] == ["before", "after"]


def test_what_is_no_key_is_left_as_it_is() -> None:
    text = " ip ospf authentication key-chain core-p1\n cryptographic-algorithm hmac-sha-256\n"
    assert frr.masked(text) == text


def test_the_same_keys_are_no_difference_in_whatever_order() -> None:
    blocks = config().split("!\n")
    assert frr.other_keys(config(), "!\n".join(reversed(blocks))) == []
    assert frr.changed_keys(config(), config()) == ""


def test_a_key_that_differs_is_named_by_its_line() -> None:
    found = frr.other_keys(config(), config(bgp=CANARY))
    assert found == ["router bgp 1 vrf a / neighbor 10.0.0.1 password (hidden)"]
    swapped = frr.other_keys(config(ldp="three", bgp="two"), config())
    assert len(swapped) == 2


SOCKETS = """0      0      10.0.0.9%a:179  10.0.0.1:34046
\t sack cubic wscale:9,9 snd_wnd:64512 md5keys:10.0.0.1/32={key}
0      0      10.0.0.9:179  10.0.0.2:34046
\t sack cubic wscale:9,9
"""


def test_the_kernel_says_which_sessions_are_signed() -> None:
    assert frr.unsigned(config(), SOCKETS.format(key="three")) == []
    assert frr.unsigned(config(), SOCKETS.format(key="four")) == ["10.0.0.1"]
    assert frr.unsigned(config(), SOCKETS.replace(" md5keys:10.0.0.1/32={key}", "")) == ["10.0.0.1"]


def test_commands_change_what_differs_and_take_away_what_is_not_wanted() -> None:
    assert frr.changed_keys(config(ldp=CANARY), config()) == (
        f"mpls ldp\nneighbor 10.0.0.1 password {CANARY}\nexit\n"
    )
    gone = config().replace(" neighbor 10.0.0.1 password three\n", "")
    assert frr.changed_keys(gone, config()) == "router bgp 1 vrf a\nno neighbor 10.0.0.1 password\nexit\n"
    assert frr.changed_keys(config(), gone) == ""


VTYSH = """#!/bin/sh
printf '%s\\n' "$*" >> "$0.arguments"
case "$1" in
-c) cat "${0%/*}/running" ;;
-f) cp "$2" "$0.file"; stat -c %a "$2" > "$0.mode"; grep password "$2"; exit ${STATUS:-0} ;;
esac
"""


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("vtysh", VTYSH), ("frr-reload", '#!/bin/sh\ncat "${0%/*}/log"\nexit 3\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(frr, "CONFIG", tmp_path / "frr.conf")
    monkeypatch.setattr(frr, "RELOAD", (str(tmp_path / "frr-reload"),))
    (tmp_path / "running").write_text(config(bgp=f"{CANARY}-old"))
    (tmp_path / "frr.conf").write_text(config(bgp=f"{CANARY}-new"))
    (tmp_path / "log").write_text(f'INFO: Executed "neighbor 10.0.0.1 password {CANARY}"\n')
    return tmp_path


def test_a_reload_shows_no_key_and_gives_none_as_an_argument(
    device: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert frr.main(["reload"]) == 3
    said = capsys.readouterr().out
    assert 'Executed "neighbor 10.0.0.1 password (hidden)' in said
    assert CANARY not in said
    assert CANARY not in (device / "vtysh.arguments").read_text()
    assert f"password {CANARY}-new\n" in (device / "vtysh.file").read_text()
    assert f"{CANARY}-old" not in (device / "vtysh.file").read_text()
    assert (device / "vtysh.mode").read_text() == "600\n"


def test_a_key_that_is_refused_ends_the_reload(
    device: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATUS", "13")
    assert frr.main(["reload"]) == 13
    assert CANARY not in capsys.readouterr().out
