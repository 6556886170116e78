"""The way to a service's devices comes by entry point; what is missing is said with its remedy."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from heiiki import management as module
from heiiki.errors import ManagementError
from heiiki.management import SshManagement, management
from heiiki.plan.model import Management, Plan
from heiiki.transport import SshHost, host_key_options
from heiiki_lab.management import LabManagement


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    module._brought.cache_clear()
    yield
    module._brought.cache_clear()


def of_kind(plan: Plan, kind: str) -> Plan:
    return replace(plan, management=Management(kind, "ops", ".mgmt.example"))


def test_each_kind_has_its_own(lab_plan: Plan) -> None:
    assert isinstance(management(lab_plan), LabManagement)
    assert isinstance(management(of_kind(lab_plan, "ssh")), SshManagement)


def test_a_kind_that_no_package_brings(lab_plan: Plan) -> None:
    with pytest.raises(ManagementError) as caught:
        management(of_kind(lab_plan, "netconf"))
    assert str(caught.value) == (
        "management: kind `netconf` needs a package that is not installed here: "
        "run `pip install heiiki[netconf]`"
    )


def test_an_extra_that_is_not_installed(lab_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("lab", "heiiki_lab_that_is_not_there:Lab", "heiiki.management")
    monkeypatch.setattr(module, "entry_points", lambda **_: (entry,))
    with pytest.raises(ManagementError, match=r"run `pip install heiiki\[lab\]` \(No module named"):
        management(lab_plan)


def test_a_real_network_allows_no_test_equipment(lab_plan: Plan) -> None:
    way = SshManagement()
    equipment = way.test_equipment(of_kind(lab_plan, "ssh"), faults=True)
    assert (equipment.injector, equipment.sim_trials, equipment.refused_certificates) == (None, None, False)
    assert (way.simulated, LabManagement.simulated) == (False, True)


def test_variables_for_a_real_server_do_not_lead_away_from_the_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_ADDR", "https://real.example:8200")
    assert SshManagement().environment()["VAULT_ADDR"] == "https://real.example:8200"
    assert LabManagement().environment() == {}


def test_devices_are_reached_by_their_names(lab_plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, SshHost] = {}
    monkeypatch.setattr(module, "SshTransport", lambda hosts: nullcontext(seen.update(hosts)))
    plan = of_kind(lab_plan, "ssh")
    with SshManagement().transport(plan):
        only_known = host_key_options(None)
        assert seen["dras"] == SshHost("dras.mgmt.example", "ops", options=only_known)
    with SshManagement().transport(plan, lambda _: {"dras": SshHost("192.0.2.77", port=2222)}):
        assert seen["dras"] == SshHost("192.0.2.77", port=2222)


def test_the_kind_only_chooses_the_way_to_the_devices() -> None:
    package = Path(module.__file__).parent
    asked = [path for path in package.rglob("*.py") if "management.kind" in path.read_text()]
    assert asked == [Path(module.__file__)]
