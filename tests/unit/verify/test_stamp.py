"""A STAMP session: started where it is needed, ended whatever happens."""

from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.render import agent
from heiiki.verify import paths
from heiiki.verify.stamp import measuring

HOSTS = ("dras", "umeda-bems")


class Hosts:
    """Keep what each host is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((device, parameters))
        return {"answers": [{"now": 1.0} for _ in parameters.get("questions", ())]}

    def of(self, device: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.asked if name == device]


def test_a_session_starts_asks_and_ends_under_one_name(plan: Plan, fleet_of: Any) -> None:
    hosts = Hosts()
    with measuring(plan, fleet_of(hosts), HOSTS, 42.0) as session:
        session.renew()
    started, renewed, ended = hosts.of("umeda-bems")
    name = started["session"]
    serve = ("stamp", "serve", "--address", "10.16.1.20", "--session", name, "--lease", "42")
    peers = ("--peer", "10.15.0.4", "--peer", "10.15.0.5")
    assert started["start"] == [*agent.command(*serve), *peers]
    assert renewed == {"session": name, "questions": [{"do": "status"}]}
    assert ended == {"session": name, "end": True}
    assert {parameters["session"] for _, parameters in hosts.asked} == {name}


def test_two_sessions_have_different_names(plan: Plan, fleet_of: Any) -> None:
    hosts = Hosts()
    for _ in range(2):
        with measuring(plan, fleet_of(hosts), ("dras",)):
            pass
    assert len({parameters["session"] for _, parameters in hosts.asked}) == 2


def test_a_session_ends_whatever_happens(plan: Plan, fleet_of: Any) -> None:
    hosts = Hosts()
    with pytest.raises(KeyboardInterrupt), measuring(plan, fleet_of(hosts), HOSTS):
        raise KeyboardInterrupt
    assert [hosts.of(name)[-1]["end"] for name in HOSTS] == [True, True]


def test_a_host_that_does_not_start_is_an_error_in_every_answer(
    plan: Plan, fleet_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with measuring(plan, fleet_of(Hosts(), dead=("dras",)), HOSTS) as session:
        answers = session.ask(dict.fromkeys(HOSTS, ({"do": "status"},)))
    assert session.failures == {"dras": "dras: not reachable"}
    assert answers["dras"].error == "dras: not reachable"
    assert answers["umeda-bems"].data["answers"] == [{"now": 1.0}]
    assert "dras: not reachable; its STAMP process ends by itself within 300 s" in caplog.text


def test_the_reflector_runs_while_round_trips_are_measured(plan: Plan, fleet_of: Any, kept: Any) -> None:
    log: list[str] = []

    def reply(device: str, probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        log.append(next((key for key in ("start", "end") if key in parameters), probe))
        if probe == "stamp_client":
            assert device == "dras"
            return {"answers": []}
        out = '{"sent": 50, "lost": 0, "p50": 0.01, "p99": 0.02, "max": 0.03}'
        return {"commands": {"rtt": {"rc": 0, "out": out, "err": ""}}}

    verdicts = list(paths.in_service(plan, fleet_of(reply), kept))
    assert log == ["start", *["read"] * len(plan.sites), "end"]
    assert {str(one.result) for one in verdicts} == {"pass"}


def test_without_a_reflector_the_delay_is_unknown_and_says_why(plan: Plan, fleet_of: Any, kept: Any) -> None:
    def reply(_device: str, _probe: str, _parameters: dict[str, Any]) -> dict[str, Any]:
        out = '{"sent": 50, "lost": 50, "p50": null, "p99": null, "max": null}'
        return {"commands": {"rtt": {"rc": 0, "out": out, "err": ""}}}

    found = list(paths.in_service(plan, fleet_of(reply, dead=("dras",)), kept))
    assert {str(one.result) for one in found} == {"unknown"}
    assert found[0].reason == "none of 50 STAMP packets came back: dras: not reachable"
