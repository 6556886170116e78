"""Preflight and readiness: what is missing is named, what is not up is named."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils import preflight, readiness
from ansible_collections.heiiki.network.plugins.module_utils.readiness import pending, states
from ansible_collections.heiiki.network.plugins.module_utils.service_manager import OWNED, ServiceError

SUMMARY = {
    "default": {
        "vrfId": 0,
        "ipv4Unicast": {"peers": {"10.0.0.1": {"state": "Established"}}},
        "ipv4Vpn": {"peers": {"10.0.0.2": {"state": "Active"}}},
    },
    "s0017": {"ipv4Unicast": {"peers": {"10.0.0.1": {"state": "Idle"}}}},
}
SESSIONS = [
    {"peer": "one", "address": "10.0.0.1", "vrf": "default"},
    {"peer": "two", "address": "10.0.0.2", "vrf": "default"},
    {"peer": "site", "address": "10.0.0.1", "vrf": "s0017"},
    {"peer": "none", "address": "10.0.0.9", "vrf": "default"},
]


def test_a_missing_program_is_named_with_its_package(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("#!/bin/sh\n")
    (tmp_path / "there").chmod(0o755)
    found = preflight.missing_programs({"there": "a", "gone": "b"}, path=str(tmp_path))
    assert list(found) == ["program gone: install package b"]


def test_features_are_tried_in_one_call_and_the_missing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def run(argv: list[str], **_: object) -> object:
        calls.append(argv)
        return type("Done", (), {"returncode": 0, "stdout": "vrf\n", "stderr": ""})()

    monkeypatch.setattr("subprocess.run", run)
    assert list(preflight.missing_features(["vrf", "gre"])) == [
        "kernel feature vrf: load module vrf (CONFIG_NET_VRF)"
    ]
    assert len(calls) == 1


def test_features_that_cannot_be_tried_are_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_argv: list[str], **_: object) -> object:
        return type("Done", (), {"returncode": 1, "stdout": "", "stderr": "not permitted\n"})()

    monkeypatch.setattr("subprocess.run", run)
    assert list(preflight.missing_features(["vrf"])) == [
        "kernel features cannot be tried (not permitted): run as root"
    ]


def test_sessions_are_told_apart_by_vrf_and_every_family_counts() -> None:
    assert list(pending(SESSIONS, states(SUMMARY))) == [
        "two (10.0.0.2, VRF default): Active",
        "site (10.0.0.1, VRF s0017): Idle",
        "none (10.0.0.9, VRF default): not configured",
    ]


@contextmanager
def bgpd(path: Path, *answer: bytes) -> Iterator[list[bytes]]:
    """A daemon that answers one command in parts; gives what it was asked."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                for part in answer:
                    connection.sendall(part)

        thread = Thread(target=serve)
        thread.start()
        yield asked
        thread.join()


def test_bgpd_is_asked_as_vtysh_asks_it(tmp_path: Path) -> None:
    text = json.dumps(SUMMARY).encode()
    with bgpd(tmp_path / "vty", text[:10], text[10:] + b"\0", b"\0\0\0") as asked:
        assert readiness.bgp_summary(tmp_path / "vty") == SUMMARY
    assert asked == [b"show bgp vrf all summary json\0"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"% Unknown command\n\0\0\0\2", r"bgpd refuses `show bgp .*`: % Unknown command$"),
        (b"{", r"bgpd ended before it had answered `show bgp .*`; see /var/log/frr/frr\.log$"),
    ],
)
def test_an_answer_of_bgpd_that_is_none_is_an_error(tmp_path: Path, answer: bytes, message: str) -> None:
    with bgpd(tmp_path / "vty", answer), pytest.raises(ServiceError, match=message):
        readiness.bgp_summary(tmp_path / "vty")


def test_a_bgpd_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"^bgpd does not answer at .*/vty: .*No such file"):
        readiness.bgp_summary(tmp_path / "vty")


def test_waiting_ends_when_all_are_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: Iterator[dict[str, Any]] = iter([{}, SUMMARY])
    monkeypatch.setattr(readiness, "bgp_summary", lambda: next(answers))
    monkeypatch.setattr(readiness, "POLL_S", 0.0)
    assert readiness.wait(SESSIONS[:1], 5.0) == []


def test_waiting_ends_in_time_and_names_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "bgp_summary", lambda: SUMMARY)
    assert readiness.wait(SESSIONS[1:2], -1.0) == ["two (10.0.0.2, VRF default): Active"]


def test_the_services_looked_at_are_those_applied_last(tmp_path: Path) -> None:
    assert readiness.applied_services(tmp_path) == []
    (tmp_path / OWNED).parent.mkdir(parents=True)
    (tmp_path / OWNED).write_text(json.dumps({"services": [{"name": "frr"}]}))
    assert readiness.applied_services(tmp_path) == ["frr"]
