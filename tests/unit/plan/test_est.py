"""Who enrols by EST, where, and what is opened for it; and that nothing is there without it."""

import shutil
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from vendor_service import FOLDER, mixed

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Registrar
from heiiki.render import compile_plan
from heiiki_agent.est.places import PORT

CLIENTS = {
    "esp-kansai": ("10.15.0.12", "10.15.0.4"),
    "kyobashi-ce-a": ("10.96.0.5", "10.96.3.252"),
    "otemae-ce-a": ("10.96.0.2", "10.96.3.252"),
    "sonezaki-ce-a": ("10.96.0.3", "10.96.3.252"),
    "tenma-ce-a": ("10.96.0.4", "10.96.3.252"),
}
"""Each device with where it asks from, and what it asks: routers before they have a tunnel."""


def with_est(folder: Path = FOLDER) -> Plan:
    intent = load(folder)
    return build(
        intent.model_copy(update={"service": intent.service.model_copy(update={"enrolment": "est"})})
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return with_est()


def test_those_that_no_role_enrols_do_by_est(plan: Plan) -> None:
    est = plan.device("dras").est
    assert est
    assert {one.identity.device: (str(one.source), str(one.server)) for one in est.clients} == CLIENTS
    assert (est.addresses, est.port) == ((IPv4Address("10.15.0.4"), IPv4Address("10.96.3.252")), PORT)
    assert {device.name for device in plan.devices if device.enrols_at} == CLIENTS.keys()


def test_the_port_is_open_to_them_alone(plan: Plan) -> None:
    firewall = plan.device("dras").firewall
    assert firewall
    (opened,) = (one for one in firewall.services if PORT in one.ports)
    assert set(opened.sources) == {IPv4Network(source) for source, _ in CLIENTS.values()}


def test_the_log_in_is_for_them_from_its_host_alone(plan: Plan) -> None:
    est, dras = plan.device("dras").est, plan.device("dras")
    assert est
    assert plan.pki.registrar == Registrar(
        "dras",
        "dras.mixed.internal",
        (IPv4Network("10.15.0.4/32"), IPv4Network("10.96.3.252/32")),
        tuple(one.identity for one in est.clients),
    )
    assert dras.sources == plan.pki.registrar.sources


def test_a_revoked_device_is_not_among_them(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    mark = "devices:\n  - {device: otemae-ce-a, reason: stolen, since: 2026-11-01}\n"
    (tmp_path / "revoked.yml").write_text(mark, encoding="utf-8")
    registrar = with_est(tmp_path).pki.registrar
    assert registrar
    assert {one.device for one in registrar.devices} == CLIENTS.keys() - {"otemae-ce-a"}


def test_there_is_none_while_its_host_is_revoked(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    mark = "devices:\n  - {device: dras, reason: stolen, since: 2026-11-01}\n"
    (tmp_path / "revoked.yml").write_text(mark, encoding="utf-8")
    found = with_est(tmp_path)
    assert (found.pki.registrar, found.device("dras").est) == (None, None)


def test_without_it_nothing_is_there_and_with_it_no_other_device_is_sent_anything_else() -> None:
    plain, builds = mixed()
    assert plain.pki.registrar is None
    assert not [one.name for one in plain.devices if one.est or one.enrols_at]
    found = {one.device: one for one in compile_plan(with_est())}
    changed = {one.device for one in builds if one != found[one.device]}
    # The routers let its answers in.
    assert changed == {"dras", *CLIENTS} - {"esp-kansai"}
    assert "heiiki-est" not in {service.name for one in builds for service in one.services}


@pytest.mark.parametrize("name", sorted(CLIENTS.keys() - {"esp-kansai"}))
def test_a_routers_filter_lets_the_answers_in(name: str) -> None:
    _, before = mixed()
    (old,) = (one.files[0].content for one in before if one.device == name)
    (new,) = (one.files[0].content for one in compile_plan(with_est()) if one.device == name)
    added = [line for line in new.splitlines() if line not in old.splitlines()]
    assert any(str(PORT) in line for line in added)
    assert any("10.96.3.252" in line for line in added)
