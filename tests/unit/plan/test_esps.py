"""Systems of ESPs: what the plan gives them, what DRAS opens to them, and who is known no more."""

import re
import shutil
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Device, RestApi, ServedEsp
from heiiki_agent.openadr.places import REST_PORT

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


ESPS = re.compile(r"esps:[^\n]*\n((?:  -[^\n]*\n)+)")


def changed(folder: Path, esps: str | None = None, revoked: str = "") -> Plan:
    """The worked example with other lines of ESPs in its service.yml, and a revoked device."""
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    if esps is not None:
        file = folder / "service.yml"
        text = file.read_text(encoding="utf-8")
        file.write_text(ESPS.sub(f"esps:\n{esps}" if esps else "", text), encoding="utf-8")
    if revoked:
        mark = f"devices:\n  - {{device: {revoked}, reason: stolen, since: 2026-11-01}}\n"
        (folder / "revoked.yml").write_text(mark, encoding="utf-8")
    return build(load(folder))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def api(plan: Plan) -> tuple[Device, RestApi]:
    dras = plan.device("dras")
    assert dras.vtn
    assert dras.vtn.rest
    return dras, dras.vtn.rest


def opened(plan: Plan) -> list[tuple[IPv4Network, ...]]:
    firewall = plan.device("dras").firewall
    assert firewall
    return [one.sources for one in firewall.services if REST_PORT in one.ports]


def test_each_esp_has_its_sites_and_a_name_in_its_certificate(plan: Plan) -> None:
    _, found = api(plan)
    assert found == RestApi(
        REST_PORT,
        (("namba", "namba-erc"), ("sakai", "sakai-bems"), ("umeda", "umeda-bems")),
        (
            ServedEsp("kansai", "esp-kansai", "esp-kansai.lab.internal", ("namba", "sakai", "umeda")),
            ServedEsp("denki", "esp-denki", "esp-denki.lab.internal", ("umeda",)),
        ),
    )
    identities = {one.device: one for one in plan.identities()}
    for esp in found.esps:
        assert identities[esp.device].dns == (esp.certificate_name,)
        assert not plan.device(esp.device).managed


def test_dras_opens_the_api_to_their_addresses_alone(plan: Plan) -> None:
    assert opened(plan) == [(IPv4Network("10.15.0.12/32"), IPv4Network("10.15.0.13/32"))]
    # They are hosts of the closed group, whose link addresses the others know.
    known = {one.address for one in plan.device("dras").neighbours}
    assert {IPv4Address("10.15.0.12"), IPv4Address("10.15.0.13")} <= known


def test_without_an_esp_there_is_no_api(tmp_path: Path) -> None:
    bare = changed(tmp_path, "")
    vtn = bare.device("dras").vtn
    assert vtn
    assert vtn.rest is None
    assert opened(bare) == []


def test_one_that_is_revoked_is_known_no_more(plan: Plan, tmp_path: Path) -> None:
    _, before = api(plan)
    _, after = api(gone := changed(tmp_path, revoked="esp-kansai"))
    assert after == replace(before, esps=before.esps[1:])
    assert opened(gone) == [(IPv4Network("10.15.0.13/32"),)]


def test_an_esp_whose_only_site_is_revoked_has_nothing_to_address(tmp_path: Path) -> None:
    _, after = api(changed(tmp_path, revoked="umeda-bems"))
    assert [(one.name, one.sites) for one in after.esps] == [("kansai", ("namba", "sakai"))]


def test_another_esp_changes_nothing_of_those_that_are_there(plan: Plan, tmp_path: Path) -> None:
    known = ESPS.search((EXAMPLE / "service.yml").read_text(encoding="utf-8"))
    assert known
    more = changed(tmp_path, f"  - {{name: aki, sites: [all], address: 10.15.0.11}}\n{known[1]}")
    _, before = api(plan)
    _, after = api(more)
    assert after.esps[1:] == before.esps
    for name in ("esp-kansai", "esp-denki"):
        assert plan.device(name).interfaces == more.device(name).interfaces
        assert plan.device(name).identity == more.device(name).identity
