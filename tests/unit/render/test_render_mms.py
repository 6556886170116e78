"""What the ends of direct control are sent."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from open61850.mms import ObjectName
from open61850.scl import load_ieds

from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import compile_plan, mms
from heiiki_agent import config
from heiiki_agent.mms import references as ref
from heiiki_agent.mms.client.cli import Settings as Client
from heiiki_agent.mms.model import loaded
from heiiki_agent.mms.server.cli import Settings as Server

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
_NS = "{http://www.iec.ch/61850/2003/SCL}"


@pytest.fixture(scope="module")
def sent() -> dict[str, dict[str, str]]:
    return {one.device: dict(one.contents) for one in compile_plan(build(load(EXAMPLE)))}


def test_both_programs_read_their_configuration(sent: dict[str, dict[str, str]]) -> None:
    server = config.parse(Server, sent["umeda-bems"]["/etc/heiiki/mms_server.json"], "server")
    client = config.parse(Client, sent["dras"]["/etc/heiiki/mms_client.json"], "client")
    assert [one.name for one in client.sites] == ["umeda", "sakai"]
    assert client.sites[0].model == str(server.model)


def test_client_and_server_have_the_same_file(sent: dict[str, dict[str, str]]) -> None:
    for device, kind in (("umeda-bems", "battery"), ("sakai-bems", "heat_storage")):
        path = f"/etc/heiiki/mms/{kind}.icd"
        assert sent[device][path] == sent["dras"][path]
    assert not [path for path in sent["namba-erc"] if "mms" in path]


@pytest.mark.parametrize("battery", [True, False])
def test_the_model_has_what_the_programs_use(tmp_path: Path, *, battery: bool) -> None:
    file = tmp_path / "der.icd"
    file.write_text(mms.scl(battery=battery))
    model = loaded(file)
    assert list(model.logical_devices) == [ref.LD]
    assert ("DBAT1" in model.logical_devices[ref.LD]) == battery
    measured = [ObjectName(item, ref.LD) for item, _ in ref.MEASURED.values()]
    assert model.data_sets[ref.MEASUREMENT] == measured
    assert all(model.node(ref.name(item)) for item in ref.SCHEDULE_NAMES)
    for operated in (ref.SET_POINT, ref.SCHEDULE):
        ln, _, data_object = operated.partition("/")[2].partition(".")
        assert model.get(ref.name(f"{ln}$CF${data_object}$ctlModel")).value == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("battery", [True, False])
def test_every_type_that_is_used_is_declared_and_every_declared_one_used(*, battery: bool) -> None:
    root = ET.fromstring(mms.scl(battery=battery))  # noqa: S314 - our own
    declared = {one.get("id") for one in root.iter() if one.tag.endswith(("Type",)) and one.get("id")}
    used = {one.get("type") for one in root.iter() if one.get("type") and one.tag != f"{_NS}IED"}
    used |= {one.get("lnType") for one in root.iter() if one.get("lnType")}
    assert used == declared


def test_it_is_an_icd(tmp_path: Path) -> None:
    file = tmp_path / "der.icd"
    file.write_text(mms.scl(battery=True))
    (ied,) = load_ieds(file)
    assert ied.name == "TEMPLATE"
