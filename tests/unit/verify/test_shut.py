"""The program that shuts a device out at a verifier, at the HSS and at the PGW."""

import json
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heiiki.plan.model import Function, Plan
from heiiki.render.compile import _pgw, _subscribers
from heiiki.verify.probes import shut, vici

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
    assert shut.main(asked) == {"changed": ["IKE SA gw-b"], "problems": []}
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[0] == "pulled"
    assert "--terminate --ike gw-b --force --timeout 2" in calls
    assert shut.main(asked) == {"changed": [], "problems": []}


def test_an_association_that_comes_back_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon(tmp_path, monkeypatch, "true")
    answer = shut.main({"pull": PULLED, "connections": ["gw-b"], "wait_s": 0.2})
    assert answer["problems"] == ["IKE SA gw-b is still there"]


def test_without_a_new_list_the_association_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(tmp_path, monkeypatch, f"rm {tmp_path}/up")
    answer = shut.main({"pull": AWAY, "connections": ["gw-b"], "wait_s": 1, "vici": f"{tmp_path}/none"})
    assert answer["changed"] == ["IKE SA gw-b"]
    assert answer["problems"][0] == "the CRL was not fetched: away"
    assert "connection gw-b cannot be withdrawn: " in answer["problems"][1]


def test_without_a_new_list_the_connection_is_withdrawn_and_loaded_again_when_there_is_one(
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
        said = shut.main({"pull": AWAY, **asked})
        thread.join()
    assert said["changed"] == ["connection gw-b withdrawn until a list is fetched", "IKE SA gw-b"]
    assert vici.decode(heard[0][4 + 2 + len("unload-conn") :]) == {"name": "gw-b"}
    assert shut.main({"pull": PULLED, **asked}) == {"changed": ["connections as configured"], "problems": []}
    assert shut.main({"pull": PULLED, **asked})["changed"] == []


def test_who_has_no_daemon_cannot_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = shut.main({"connections": ["gw-b"], "wait_s": 0})
    assert answer["problems"] == ["IKE SA gw-b cannot be asked about"]


def test_a_refused_list_is_a_problem() -> None:
    answer = shut.main({"pull": ["echo", '{"refused": ["the CRL of X is not signed by it"]}']})
    assert answer["problems"] == ["the CRL of X is not signed by it"]


def test_what_stays_is_what_would_be_compiled_without_it(tmp_path: Path, lab_plan: Plan) -> None:
    by_function = {device.function: device for device in lab_plan.devices}
    hss, pgw = by_function[Function.HSS], by_function[Function.PGW]
    assert pgw.pgw is not None
    gone = hss.subscribers[0].imsi
    fewer = tuple(sim for sim in hss.subscribers if sim.imsi != gone)
    other = replace(pgw, pgw=replace(pgw.pgw, sims=fewer))
    texts = [
        (
            _subscribers(lab_plan, hss).content,
            _subscribers(lab_plan, replace(hss, subscribers=fewer)).content,
        ),
        (_pgw(lab_plan, pgw)[0][-1].content, _pgw(lab_plan, other)[0][-1].content),
    ]
    file = tmp_path / "file.json"
    for before, after in texts:
        file.write_text(before)
        file.chmod(0o600)
        assert shut.main({"file": str(file), "imsi": gone})["changed"] == [f"subscriber {gone}"]
        assert file.read_text() == after
        assert file.stat().st_mode & 0o777 == 0o600
        assert shut.main({"file": str(file), "imsi": gone})["changed"] == []


@pytest.mark.parametrize(
    ("status", "problems"),
    [
        ({"sessions": [{"imsi": "2"}]}, []),
        ({"sessions": [{"imsi": "1"}]}, ["the session of 1 goes on"]),
        (None, ["cannot be read"]),
    ],
)
def test_the_session_must_be_seen_to_end(tmp_path: Path, status: Any, problems: list[str]) -> None:
    file = tmp_path / "pgw.json"
    if status is not None:
        file.write_text(json.dumps(status))
    found = shut.main({"sessions": str(file), "imsi": "1", "wait_s": 0.1})["problems"]
    assert len(found) == len(problems)
    assert all(wanted in said for wanted, said in zip(problems, found, strict=True))
