"""STAMP processes run while a measurement lasts, and leave nothing on a host afterwards (R-MINIMAL)."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import awaited

from heiiki.verify.faults.campaign import streams
from heiiki.verify.fleet import Fleet, fleet
from heiiki.verify.probes.stamp_client import UNIT
from heiiki.verify.stamp import StampSession, measuring

from .service import Service

HOST = "umeda-bems"
STATUS = ({"do": "status"},)


@contextmanager
def asked(service: Service) -> Iterator[Fleet]:
    with fleet(service.transport, 2) as devices:
        yield devices


def traces(service: Service, device: str) -> str:
    """What a STAMP process leaves while it runs: its socket, its unit, its folder."""
    script = f"ss -Hlun 'sport = :862'; systemctl list-units --all --plain --no-legend {UNIT}"
    return service.run(device, "sh", "-c", f"{script}; ls -d /run/heiiki-stamp 2> /dev/null || true").strip()


def test_no_host_listens_while_nothing_is_measured(service: Service) -> None:
    listeners = sorted({stream.listener for stream in streams(service.plan)})
    assert {name: traces(service, name) for name in listeners} == dict.fromkeys(listeners, "")


def test_a_host_listens_while_it_is_measured_and_no_longer(service: Service) -> None:
    with asked(service) as devices:
        with measuring(service.plan, devices, (HOST,)) as session:
            assert not session.failures
            during = traces(service, HOST)
        assert ":862" in during
        assert traces(service, HOST) == ""


def test_a_killed_measurement_gives_way_to_the_next_and_is_told(service: Service) -> None:
    host = service.plan.device(HOST)
    with asked(service) as devices:
        killed = StampSession(devices, (host,), 600.0)
        killed.start()
        with measuring(service.plan, devices, (HOST,)) as session:
            assert not session.failures
            assert "error" not in session.ask({HOST: STATUS})[HOST].data["answers"][0]
            answer = killed.ask({HOST: STATUS})[HOST].data["answers"][0]
            assert "another measurement" in answer["error"]
            killed.end()
            assert "error" not in session.ask({HOST: STATUS})[HOST].data["answers"][0]
        assert traces(service, HOST) == ""


@pytest.mark.long
def test_a_process_whose_lease_runs_out_ends_by_itself(service: Service) -> None:
    with asked(service) as devices:
        killed = StampSession(devices, (service.plan.device(HOST),), 10.0)
        killed.start()
        assert not killed.failures
        awaited("nothing is left of it", lambda: traces(service, HOST) == "")
