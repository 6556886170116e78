"""The program that ends a verifier's IPsec associations with a revoked device."""

import socket
import threading
from pathlib import Path

import pytest

from heiiki.deploy.on_device import end_associations
from heiiki_agent import vici

PULLED = ["echo", '{"changed": [], "refused": []}']

AWAY = ["sh", "-c", "echo away >&2; exit 3"]

SWANCTL = """#!/bin/sh
echo "$*" >> {folder}/calls
case "$1" in
--list-sas) [ -e {folder}/up ] && echo "$3: #7, ESTABLISHED, IKEv2, 1_i* 2_r"; echo "other: #8, ESTABLISHED"; exit 0 ;;
--list-conns) [ -e {folder}/withdrawn ] || echo "gw-b: IKEv2, no reauthentication" ;;
--load-conns) rm {folder}/withdrawn ;;
--terminate) {terminate} ;;
esac
"""  # noqa: E501


def daemon(folder: Path, monkeypatch: pytest.MonkeyPatch, terminate: str) -> Path:
    program = folder / "swanctl"
    program.write_text(SWANCTL.format(folder=folder, terminate=terminate))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    (folder / "up").touch()
    return folder


def test_lists_are_fetched_before_the_association_ends_and_once_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(tmp_path, monkeypatch, f"rm {tmp_path}/up")
    pull = ["sh", "-c", f"echo pulled >> {tmp_path}/calls; echo '{{\"refused\": []}}'"]
    asked = {"pull": pull, "connections": ["gw-b"], "wait_s": 1}
    assert end_associations.main(asked) == {"changed": ["IKE SA gw-b"], "error": ""}
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "pulled"
    assert "--terminate --ike gw-b --force --timeout 2" in calls
    assert end_associations.main(asked) == {"changed": [], "error": ""}


def test_an_association_that_comes_back_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon(tmp_path, monkeypatch, "true")
    answer = end_associations.main({"pull": PULLED, "connections": ["gw-b"], "wait_s": 0.2})
    assert answer["error"] == "IKE SA gw-b is still there"


def test_without_a_new_list_the_association_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(tmp_path, monkeypatch, f"rm {tmp_path}/up")
    answer = end_associations.main(
        {"pull": AWAY, "connections": ["gw-b"], "wait_s": 1, "vici": f"{tmp_path}/none"}
    )
    assert answer["changed"] == ["IKE SA gw-b"]
    assert answer["error"].startswith("the CRL was not fetched: away; connection gw-b cannot be unloaded: ")


def test_without_a_new_list_the_connection_is_unloaded_and_loaded_again_when_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(tmp_path, monkeypatch, f"rm {tmp_path}/up")
    heard: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        stream, _ = listener.accept()
        with stream:
            heard.append(stream.recv(4096))
            (tmp_path / "withdrawn").touch()
            stream.sendall(b"\x00\x00\x00\x0f\x01\x03\x07success\x00\x03yes")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/vici")
        listener.listen()
        thread = threading.Thread(target=answer, args=(listener,))
        thread.start()
        asked = {"connections": ["gw-b"], "wait_s": 1, "vici": f"{tmp_path}/vici"}
        said = end_associations.main({"pull": AWAY, **asked})
        thread.join()
    assert said["changed"] == ["connection gw-b unloaded until a CRL is fetched", "IKE SA gw-b"]
    assert vici.decode(heard[0][4 + 2 + len("unload-conn") :]) == {"name": "gw-b"}
    assert end_associations.main({"pull": PULLED, **asked}) == {
        "changed": ["connections as configured"],
        "error": "",
    }
    assert end_associations.main({"pull": PULLED, **asked})["changed"] == []


def test_without_a_daemon_the_association_is_not_known_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = end_associations.main({"pull": ["/bin/echo", PULLED[1]], "connections": ["gw-b"], "wait_s": 0})
    assert answer["error"] == "IKE SA gw-b cannot be asked about"


def test_a_refused_list_is_a_problem() -> None:
    answer = end_associations.main({"pull": ["echo", '{"refused": ["the CRL of X is not signed by it"]}']})
    assert answer == {"changed": [], "error": "the CRL of X is not signed by it"}
