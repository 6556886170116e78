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
        asked = parameters["commands"]
        said = {name: self.said.get(name, self.answer(name, argv)) for name, argv in asked.items()}
        return {"commands": said}

    def answer(self, name: str, argv: list[str]) -> dict[str, Any]:
        err = "Keepalived v2.2.7" if name == "keepalived" else ""
        active = "active\n" * len(argv[2:])
        return {"rc": 0, "out": SAID.get(name, active), "err": err}


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
        ("services", {"rc": 0, "out": "active\n", "err": ""}, "cannot be read now"),
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
    assert found.differences(then).startswith(f"{name.removesuffix('s')} ")
    assert f" of {builds[-1].device}" in found.differences(then)
    assert difference in found.differences(then)


def test_a_service_that_died_is_named(plan: Plan, builds: tuple[DeviceBuild, ...], fleet_of: Any) -> None:
    devices = Devices()
    then = fingerprint(plan, builds[-1:], fleet_of(devices))
    names = [one.name for one in builds[-1].services]
    states = ["inactive" if name == "keepalived" else "active" for name in names]
    devices.said["services"] = {"rc": 3, "out": "".join(f"{one}\n" for one in states), "err": ""}
    found = fingerprint(plan, builds[-1:], fleet_of(devices))
    device = builds[-1].device
    assert found.differences(then) == f"service keepalived of {device}: active then, inactive now"


def test_a_device_that_does_not_answer_is_never_the_same(
    plan: Plan, builds: tuple[DeviceBuild, ...], fleet_of: Any
) -> None:
    silent = fingerprint(plan, builds, fleet_of(Devices(), dead=("dras",)))
    assert "of dras cannot be read now" in silent.differences(silent)
