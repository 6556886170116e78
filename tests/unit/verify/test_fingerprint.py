"""What the network is made of: a change of any part changes the fingerprint, and says which."""

from typing import Any

import pytest

from heiiki.plan.model import Plan
from heiiki.render import compile_plan
from heiiki.render.model import DeviceBuild
from heiiki.verify.fingerprint import fingerprint

SAID = {
    "kernel": "Linux 6.12.1",
    "FRR": "zebra version 10.3\nCopyright",
    "strongSwan": "strongSwan swanctl 5.9.8",
    "keepalived": "",
}


@pytest.fixture(scope="module")
def builds(plan: Plan) -> tuple[DeviceBuild, ...]:
    return tuple(build for build in compile_plan(plan) if build.device in ("umeda-gw-b", "dras"))


class Devices:
    """Devices that say their versions; keepalived says it on standard error."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, Any]] = {}

    def __call__(self, _device: str, _probe: str, parameters: dict[str, Any]) -> dict[str, Any]:
        return {"commands": {name: self.said.get(name, self.answer(name)) for name in parameters["commands"]}}

    def answer(self, name: str) -> dict[str, Any]:
        err = "Keepalived v2.2.7" if name == "keepalived" else ""
        return {"rc": 0, "out": SAID.get(name, "active\n"), "err": err}


def test_it_names_versions_services_and_texts(
    plan: Plan, builds: tuple[DeviceBuild, ...], fleet_of: Any
) -> None:
    parts = fingerprint(plan, builds, fleet_of(Devices())).parts
    assert {
        name: value for name, value in parts.items() if " of umeda-gw-b" in name and "conf" not in name
    } == {
        "kernel of umeda-gw-b": "Linux 6.12.1",
        "FRR of umeda-gw-b": "zebra version 10.3",
        "keepalived of umeda-gw-b": "Keepalived v2.2.7",
        "strongSwan of umeda-gw-b": "strongSwan swanctl 5.9.8",
        **{f"service {one.name} of umeda-gw-b": "active" for one in builds[-1].services},
    }
    assert "FRR of dras" not in parts
    assert len(parts["configuration of dras"] or "") == 16


@pytest.mark.parametrize(
    ("name", "said", "difference"),
    [
        (
            "FRR",
            {"rc": 0, "out": "zebra version 10.4", "err": ""},
            "zebra version 10.3 then, zebra version 10.4 now",
        ),
        ("service keepalived", {"rc": 3, "out": "inactive\n", "err": ""}, "active then, inactive now"),
        ("strongSwan", {"rc": None, "out": "", "err": "FileNotFoundError"}, "cannot be read now"),
        ("kernel", {}, "cannot be read now"),
    ],
    ids=["another version", "dead", "gone", "nonsense"],
)
def test_what_is_another_now_is_named(
    plan: Plan,
    builds: tuple[DeviceBuild, ...],
    fleet_of: Any,
    name: str,
    said: dict[str, Any],
    difference: str,
) -> None:
    devices = Devices()
    then = fingerprint(plan, builds[-1:], fleet_of(devices))
    assert fingerprint(plan, builds[-1:], fleet_of(devices)).differences(then) == ""
    devices.said[name] = said
    found = fingerprint(plan, builds[-1:], fleet_of(devices))
    assert found.sha256 != then.sha256
    assert found.differences(then).startswith(f"{name} of {builds[-1].device}")
    assert difference in found.differences(then)


def test_a_device_that_does_not_answer_is_never_the_same(
    plan: Plan, builds: tuple[DeviceBuild, ...], fleet_of: Any
) -> None:
    silent = fingerprint(plan, builds, fleet_of(Devices(), dead=("dras",)))
    assert "of dras cannot be read now" in silent.differences(silent)
