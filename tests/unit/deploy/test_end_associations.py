"""The program that ends a verifier's IPsec associations with a revoked device, and has it refused then."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_charon import Answered, FakeCharon, Message

from heiiki.deploy.on_device import end_associations

PULLED = ["echo", '{"changed": [], "refused": []}']
AWAY = ["sh", "-c", "echo away >&2; exit 3"]
REFUSES = ["echo", '{"refused_serials": ["01:02", "03:04"]}']

SWANCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$1" in
--list-sas) [ -e {folder}/up ] && echo "$3: #7, ESTABLISHED, IKEv2, 1_i* 2_r"; echo "other: #8, ESTABLISHED"; exit 0 ;;
--list-conns) [ -e {folder}/withdrawn ] || echo "gw-b: IKEv2, no reauthentication" ;;
--load-conns) rm {folder}/withdrawn; {loaded} ;;
--terminate) {terminate} ;;
esac
"""  # noqa: E501


class Daemon:
    """An IKE daemon with one SA, in a folder: `swanctl` and the control socket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.vici = folder / "vici"
        self.served = FakeCharon(self.vici, self._answer)
        self.served.start()
        (folder / "up").touch()
        self.does()

    def does(self, *, terminate: str = "", loaded: str = "true") -> None:
        """Set what happens when SAs are to end, and when the connections are loaded."""
        program = self.folder / "swanctl"
        terminate = terminate or f"rm {self.folder}/up"
        program.write_text(SWANCTL.format(folder=self.folder, terminate=terminate, loaded=loaded))
        program.chmod(0o755)

    def _answer(self, name: str, message: Message) -> Answered:
        assert (name, message) == ("unload-conn", {"name": "gw-b"})
        (self.folder / "withdrawn").touch()
        return [], {"success": "yes"}

    def ends(self, **more: Any) -> dict[str, Any]:
        asked = {"connections": ["gw-b"], "wait_s": 1, "vici": str(self.vici), **more}
        return end_associations.main(asked)

    def loads(self, **more: Any) -> dict[str, Any]:
        asked = {"pull": PULLED, "status": REFUSES, "serials": ["01:02"]}
        return self.ends(**asked | more)

    def refuses(self, watch_s: float = 0) -> dict[str, Any]:
        return self.ends(watch_s=watch_s)

    @property
    def withdrawn(self) -> bool:
        return (self.folder / "withdrawn").exists()

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    made = Daemon(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    yield made
    made.served.stop()


def test_without_any_list_the_connection_is_withdrawn_and_its_association_ends(daemon: Daemon) -> None:
    assert daemon.ends() == {"changed": ["IKE SA gw-b"], "error": "", "watched_s": 0.0}
    assert daemon.withdrawn
    assert "--terminate --ike gw-b --force --timeout 2" in daemon.calls
    assert daemon.ends() == {"changed": [], "error": "", "watched_s": 0.0}


def test_it_comes_back_when_the_lists_that_are_loaded_refuse_the_device(daemon: Daemon) -> None:
    daemon.ends()
    loaded = daemon.loads(serials=["03:04", "01:02"])
    assert (loaded["changed"], loaded["error"], daemon.withdrawn) == ([], "", True)
    answer = daemon.refuses()
    assert (answer["changed"], answer["error"], daemon.withdrawn) == ([], "", False)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"pull": AWAY}, "the CRL was not fetched: away"),
        ({"serials": ["01:02", "05"]}, "no list that is loaded has 05"),
        (
            {"status": ["echo", '{"refused_serials": null}']},
            "which lists are loaded cannot be asked: ",
        ),
        ({"status": AWAY}, "which lists are loaded cannot be asked: away"),
    ],
)
def test_else_it_stays_withdrawn(daemon: Daemon, more: dict[str, Any], why: str) -> None:
    """A list that came is not enough: what counts is what the daemon has loaded."""
    daemon.ends()
    answer = daemon.loads(**more)
    assert (answer["error"], answer["changed"], daemon.withdrawn) == (why, [], True)


def test_a_peer_that_is_let_in_although_it_is_on_the_list_is_put_out_again(daemon: Daemon) -> None:
    daemon.ends()
    daemon.does(loaded=f"touch {daemon.folder}/up")
    answer = daemon.refuses(watch_s=30)
    assert answer["error"] == (
        "IKE SA gw-b came up again although its certificate is on the list; connection gw-b stays withdrawn"
    )
    assert (daemon.withdrawn, answer["changed"], answer["watched_s"]) == (True, ["IKE SA gw-b"], 0.0)


def test_it_is_watched_for_as_long_as_the_peer_may_take_to_ask_again(daemon: Daemon) -> None:
    daemon.ends()

    def comes() -> None:
        while daemon.calls.count("--list-sas --ike gw-b") < 5:
            threading.Event().wait(0.01)
        (daemon.folder / "up").touch()

    peer = threading.Thread(target=comes)
    peer.start()
    assert "came up again" in daemon.refuses(watch_s=30)["error"]
    peer.join()
    assert daemon.refuses(watch_s=0.1)["watched_s"] >= 0.1


def test_an_association_that_does_not_end_is_a_problem(daemon: Daemon) -> None:
    daemon.does(terminate="true")
    assert daemon.ends(wait_s=0.2)["error"] == "IKE SA gw-b is still there"


def test_without_a_daemon_the_association_is_not_known_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = {"connections": ["gw-b"], "wait_s": 0, "vici": f"{tmp_path}/none"}
    assert end_associations.main(asked)["error"] == (
        "connection gw-b cannot be withdrawn: [Errno 2] No such file or directory; "
        "IKE SA gw-b cannot be asked about"
    )


def test_a_verifier_without_a_connection_fetches_the_lists() -> None:
    asked: dict[str, Any] = {"connections": [], "serials": [], "wait_s": 0}
    refused = ["echo", '{"refused": ["the CRL of X is not signed by it"]}']
    answer = end_associations.main({**asked, "pull": refused})
    assert (answer["changed"], answer["error"]) == ([], "the CRL of X is not signed by it")
    assert end_associations.main({**asked, "pull": PULLED})["error"] == ""
    named = {**asked, "pull": PULLED, "status": REFUSES, "serials": ["09"]}
    assert end_associations.main(named)["error"] == "no list that is loaded has 09"
