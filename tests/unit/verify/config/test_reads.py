"""What programs read besides what they are sent: explained, older than their last start, or a fail."""

from collections.abc import Callable
from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.render import compile_plan
from heiiki.render.model import DeviceBuild
from heiiki.requirements import Result
from heiiki.requirements.verdict import Evidence
from heiiki.verify.config import reads
from heiiki.verify.config import running as configuration
from heiiki.verify.fleet import Answer
from heiiki.verify.host.explained import Added

Keep = Callable[[str, bytes], Evidence]
ACCESS, ESP, GAP = "R-SEC-ACCESS", "R-SEC-ESP", "R-GAP"
GATEWAY, HUB = "umeda-gw-b", "hub-ce-b"
OURS, PACKAGE, PLANTED = "/etc/strongswan.d/heiiki.conf", "/etc/strongswan.conf", "/etc/strongswan.d/zz.conf"
BOUNDS = "/etc/systemd/system/strongswan.service.d/heiiki.conf"
UNIT = "/usr/lib/systemd/system/strongswan.service"


def file(path: str, changed: float = 10.0, *, packaged: bool = False, own: bool = True) -> dict[str, Any]:
    return {"path": path, "changed": changed, "packaged": packaged, "own": own}


def charon(*more: dict[str, Any], **other: Any) -> dict[str, Any]:
    files = [
        file(PACKAGE, packaged=True),
        file(OURS),
        file(UNIT, packaged=True, own=False),
        file(BOUNDS, 90.0, own=False),
        *more,
    ]
    folders = [{"path": "/etc/strongswan.d", "changed": 10.0}]
    said = {"files": files, "folders": folders, "loaded": 50.0, "environment": ["PATH", "LC_ALL"]}
    return {**said, **other}


def build_of(plan: Plan, device: str) -> DeviceBuild:
    return next(one for one in compile_plan(plan) if one.device == device)


def wrong(plan: Plan, said: dict[str, Any], added: frozenset[str] = frozenset()) -> list[str]:
    return list(reads.wrong(build_of(plan, GATEWAY), added, "strongswan", said))


def failed(plan: Plan, kept: Keep, device: str, service: str, said: dict[str, Any]) -> dict[str, str]:
    build = build_of(plan, device)
    every = {one.name: reads.NOT_READ for one in build.services} | {service: said}
    # What runs of FRR is not looked at here.
    shown = {"/etc/frr/frr.conf": {"rc": 0, "out": build.contents["/etc/frr/frr.conf"], "err": ""}}
    data: dict[str, Any] = {"different": {}, "unreadable": {}, "shown": shown, "keys": {}, "filter": {}}
    data |= {"health": {}, "units": {}, "reads": every}
    found = configuration.of_device(plan.device(device), build, Answer(device, data, "", b""), kept, Added())
    return {one.requirement: one.reason for one in found if one.result is Result.FAIL}


def test_what_plan_and_package_put_there_before_the_start_is_explained(plan: Plan) -> None:
    assert wrong(plan, charon()) == []


def test_a_planted_file_fails_the_timers_and_the_trust_of_the_daemon(plan: Plan, kept: Keep) -> None:
    planted = charon(file(PLANTED))
    told = f"strongswan reads {PLANTED}, which neither plan nor package put there as it is"
    reason = f"/etc/swanctl/swanctl.conf: {told}"
    assert failed(plan, kept, GATEWAY, "strongswan", planted) == {ACCESS: reason, GAP: reason}
    assert failed(plan, kept, HUB, "strongswan", planted).keys() == {ACCESS, ESP, GAP}


def test_a_file_of_a_package_that_was_edited_is_no_longer_the_packages(plan: Plan) -> None:
    edited = charon()
    edited["files"][0]["packaged"] = False
    assert wrong(plan, edited) == [
        f"strongswan reads {PACKAGE}, which neither plan nor package put there as it is"
    ]


def test_what_management_adds_is_explained(plan: Plan) -> None:
    log = "/usr/lib/systemd/system/service.d/50-log.conf"
    assert wrong(plan, charon(file(log, own=False))) != []
    assert wrong(plan, charon(file(log, own=False)), frozenset({log})) == []


@pytest.mark.parametrize(("changed", "told"), [(49.0, False), (51.0, True)])
def test_a_file_that_is_younger_than_what_was_loaded_is_told(plan: Plan, changed: float, told: bool) -> None:
    said = charon()
    said["files"][1]["changed"] = changed
    late = (
        f"{OURS} was changed after strongswan was started or reloaded: systemctl reload-or-restart strongswan"
    )
    assert wrong(plan, said) == ([late] if told else [])


def test_a_file_whose_values_the_program_tells_may_be_younger(plan: Plan) -> None:
    assert wrong(plan, charon(file("/etc/swanctl/swanctl.conf", 60.0))) == []


def test_a_file_that_was_there_at_the_start_and_is_gone_is_told(plan: Plan) -> None:
    gone = charon(folders=[{"path": "/etc/strongswan.d", "changed": 60.0}])
    assert ["lost a file" in one for one in wrong(plan, gone)] == [True]
    # A file that is replaced changes its folder, and is as young.
    replaced = charon(folders=[{"path": "/etc/strongswan.d", "changed": 10.01}])
    assert wrong(plan, replaced) == []


def test_an_environment_that_leads_elsewhere_is_told(plan: Plan) -> None:
    for name in ("STRONGSWAN_CONF", "LD_PRELOAD", "OPENSSL_CONF"):
        assert wrong(plan, charon(environment=["PATH", name])) == [
            f"strongswan runs with {name} in its environment, which none of its files sets"
        ]


def test_a_file_of_frr_fails_all_that_routing_holds(plan: Plan, kept: Keep) -> None:
    said = charon(file("/etc/frr/zebra.conf"))
    found = failed(plan, kept, GATEWAY, "frr", said)
    assert found.keys() >= {GAP, "R-DUAL", "R-ISO-SITE"}
    assert ACCESS not in found


def test_a_program_of_which_nothing_is_known_is_unknown(plan: Plan, kept: Keep) -> None:
    build = build_of(plan, GATEWAY)
    data: dict[str, Any] = {"different": {}, "unreadable": {}, "shown": {}, "keys": {}, "filter": {}}
    data |= {"health": {}, "units": {}, "reads": {"error": "the probe failed"}}
    found = configuration.of_device(plan.device(GATEWAY), build, Answer(GATEWAY, data, "", b""), kept)
    told = {one.requirement: one for one in found}
    assert told[ACCESS].result is Result.UNKNOWN
    assert "what strongswan reads besides is not known: the probe failed" in told[ACCESS].reason
    assert {one.result for one in told.values()} == {Result.UNKNOWN}


def test_every_unit_that_holds_a_requirement_is_asked_after(plan: Plan) -> None:
    for build in compile_plan(plan):
        asked = reads.question(configuration._units(build))["programs"]
        assert asked.keys() == configuration._units(build).keys()
        assert all("/etc/ld.so.preload" in one["files"] for one in asked.values())
