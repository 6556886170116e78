"""Who is controlled directly, by whom, and whom the filters let through."""

from pathlib import Path

import pytest

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.plan.model import Function
from heiiki_agent.mms.places import PORT

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
DIRECT = ("umeda", "sakai")


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(load(EXAMPLE))


def test_dras_controls_the_sites_with_direct_control_and_no_other(plan: Plan) -> None:
    (client,) = (device for device in plan.devices if device.mms_client is not None)
    assert client.function is Function.DRAS
    assert client.mms_client is not None
    assert tuple(site.name for site in client.mms_client.sites) == DIRECT
    served = [device.site for device in plan.devices if device.mms_server is not None]
    assert sorted(map(str, served)) == sorted(DIRECT)


def test_both_ends_know_the_other_by_its_certificate_and_have_lists(plan: Plan) -> None:
    client = next(device for device in plan.devices if device.mms_client is not None)
    assert client.mms_client is not None
    assert client.identity is not None
    assert client.crl_source is not None
    for site in client.mms_client.sites:
        device = plan.device(site.device)
        assert device.mms_server is not None
        assert device.identity is not None
        assert device.crl_source is not None
        assert site.certificate_name == device.identity.common_name
        assert device.mms_server.client == client.identity.common_name
        assert (device.mms_server.address, device.mms_server.port) == (site.address, PORT)
        assert device.mms_server.battery == site.battery


def test_the_port_is_open_to_dras_alone(plan: Plan) -> None:
    dras = next(device for device in plan.devices if device.function is Function.DRAS)
    for device in plan.devices:
        opened = [one for one in device.firewall.services if one.name == "mms"] if device.firewall else []
        assert bool(opened) == (device.mms_server is not None), device.name
        for one in opened:
            assert (one.protocol, one.ports) == ("tcp", (PORT,))
            assert [str(source) for source in one.sources] == [f"{dras.addresses[0]}/32"]


def test_where_nothing_is_controlled_directly_nothing_of_it_is_there() -> None:
    intent = load(EXAMPLE)
    sites = tuple(
        item.model_copy(
            update={"resources": [one.model_copy(update={"control": "indirect"}) for one in item.resources]}
        )
        for item in intent.sites
    )
    found = build(intent.model_copy(update={"sites": sites}))
    assert not any(device.mms_server or device.mms_client for device in found.devices)
