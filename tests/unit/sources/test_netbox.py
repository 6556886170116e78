"""`heiiki import netbox`: what its objects become, what is refused, and that NetBox is only read."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from netbox_answers import HOST, TOKEN, NetBox, circuit, device, platform, serving, site

from heiiki.cli.main import cli
from heiiki.errors import SourceError
from heiiki.intent import load
from heiiki.sources import netbox_client
from heiiki.sources.keys import site_keys
from heiiki.sources.netbox import COMES_FROM

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


def full() -> NetBox:
    """Two sites of the service, one of them new, and what does not belong to it."""
    return NetBox(
        sites=[
            site(1, "umeda", "Kita Building", number=17),
            site(
                2,
                "kita-no",
                "Kitano Cold Store",
                number=2,
                primary="a",
                a_pe="pe2",
                resources="battery:direct",
            ),
            site(3, "elsewhere", None) | {"tags": []},
        ],
        circuits=[
            circuit(1, "A-9000", "Alpha", 1, commit_rate=50_000),
            circuit(2, "A-7781", "Alpha", 1, status={"value": "decommissioned", "label": "Decommissioned"}),
            circuit(3, "440100000000017", "Beta", 1),
            circuit(4, "A-0002", "Alpha", 2),
            circuit(5, "440100000000002", "Beta", 2),
            circuit(6, "X-1", "Gamma", 2),
        ],
        devices=[
            device(1, "umeda-ce-a", "ce-router", 1, platform=platform("FRR")),
            device(2, "umeda-gw-b", "lte-gateway", 1),
            device(3, "umeda-bems", "bems", 1),
            device(4, "kita-no-gw", "lte-gateway", 2),
            device(5, "kita-no-erc", "erc", 2),
            device(6, "spare", "ce-router", 2, status={"value": "inventory", "label": "Inventory"}),
        ],
    )


@pytest.fixture
def netbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[NetBox]:
    monkeypatch.setenv(netbox_client.VARIABLE, TOKEN)
    with serving(full()) as served:
        yield served


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    return tmp_path / "lab"


def run(netbox: NetBox | str, folder: Path, *options: str) -> Result:
    url = netbox if isinstance(netbox, str) else netbox.url
    result = CliRunner().invoke(cli, ["import", "netbox", url, str(folder), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def problems(netbox: NetBox, folder: Path) -> list[str]:
    result = run(netbox, folder)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.splitlines()[:-1]


def test_sites_circuits_and_devices_become_site_files(netbox: NetBox, folder: Path) -> None:
    before = (folder / "sites" / "0017-umeda.yml").read_text("utf-8")
    result = run(netbox, folder)
    assert result.stdout.splitlines()[:3] == [
        "sites/0002-kita_no.yml: new",
        "sites/0017-umeda.yml: changed: a.circuit, a.bandwidth_kbps",
        f"{folder}: 1 new, 1 changed, 0 as they were",
    ]
    assert result.exit_code == 0
    assert (folder / "sites" / "0002-kita_no.yml").read_text("utf-8") == (
        "number: 2\nname: kita_no\ncustomer: Kitano Cold Store\nredundancy: networks\nprimary: a\n"
        "controller: erc\nresources:\n  - {kind: battery, control: direct}\n"
        'a: {circuit: A-0002, pe: pe2}\nb: {sim: "440100000000002"}\n'
    )
    old = "circuit: A-7781, pe: pe2}"
    new = "circuit: A-9000, pe: pe2, bandwidth_kbps: 50000}"
    assert (folder / "sites" / "0017-umeda.yml").read_text("utf-8") == before.replace(old, new)
    assert run(netbox, folder).stdout.splitlines()[0] == f"{folder}: 0 new, 0 changed, 2 as they were"


def test_a_platform_of_a_vendor_is_taken_over_and_judged(netbox: NetBox, folder: Path) -> None:
    netbox.devices[0]["platform"] = platform("Cisco IOSXE")
    result = run(netbox, folder)
    assert result.stdout.splitlines()[1].endswith("a.circuit, a.bandwidth_kbps, a.platform")
    assert result.exit_code == 1  # of what this release does not render for it
    assert next(one for one in load(folder).sites if one.number == 17).a.platform == "cisco_iosxe"


def test_netbox_is_read_by_few_questions_and_never_changed(netbox: NetBox, folder: Path) -> None:
    run(netbox, folder, "--check")
    assert {method for method, _ in netbox.asked} == {"GET"}
    lists = [path.partition("?")[0] for _, path in netbox.asked if "?" in path]
    assert lists == ["/api/dcim/sites/", "/api/circuits/circuits/", "/api/dcim/devices/"]
    api = netbox_client._api(netbox.url, TOKEN)
    with pytest.raises(SourceError, match="Heiiki does not change NetBox; POST was not sent"):
        api.dcim.sites.create(name="x", slug="x")
    assert {method for method, _ in netbox.asked} == {"GET"}


def test_pages_are_turned(netbox: NetBox, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netbox_client, "_PAGE", 1)
    assert run(netbox, folder).stdout.splitlines()[2] == f"{folder}: 1 new, 1 changed, 0 as they were"


def test_the_token_is_neither_told_nor_logged(
    netbox: NetBox, folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert run(netbox, folder).exit_code == 0
        monkeypatch.setenv(netbox_client.VARIABLE, TOKEN[::-1])
        refused = run(netbox, folder)
    assert refused.exit_code == 1
    assert "403 Forbidden" in refused.stderr
    assert "what the token may read" in refused.stderr
    told = caplog.text + refused.output
    assert not any(token in told for token in (TOKEN, TOKEN[::-1]))


def test_a_netrc_does_not_replace_the_token(
    netbox: NetBox, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert run(netbox, folder, "--check").exit_code == 0


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        (
            "https://netbox.example",
            "",
            "there is no token for NetBox: set HEIIKI_NETBOX_TOKEN to one that may read",
        ),
        ("http://netbox.example", TOKEN, "the token would travel in clear; write the address with https://"),
        ("netbox.example", TOKEN, "the token would travel in clear; write the address with https://"),
        ("https://me:word@netbox.example", TOKEN, "the address of NetBox holds a log-in: leave it out"),
        ("http://127.0.0.1:1", TOKEN, "http://127.0.0.1:1: cannot be asked: "),
    ],
)
def test_where_netbox_cannot_be_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str, token: str, told: str
) -> None:
    monkeypatch.setenv(netbox_client.VARIABLE, token)
    result = run(url, folder)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "word" not in result.stderr


def test_an_old_netbox_is_refused(netbox: NetBox, folder: Path) -> None:
    netbox.version = "4.1"
    assert "NetBox 4.1; 4.2 or later is understood" in run(netbox, folder).stderr


def test_what_is_no_netbox_is_told(netbox: NetBox, folder: Path) -> None:
    netbox.url += "/elsewhere"
    result = run(netbox, folder)
    assert result.exit_code == 1
    assert "/elsewhere: " in result.stderr


def test_a_tag_without_sites_is_told(netbox: NetBox, folder: Path) -> None:
    result = run(netbox, folder, "--tag", "osaka")
    assert (result.exit_code, "no site has the tag `osaka`" in result.stderr) == (1, True)


def test_two_circuits_of_a_carrier_and_two_devices_of_a_role_are_conflicts(
    netbox: NetBox, folder: Path
) -> None:
    netbox.circuits.append(circuit(7, "A-9001", "Alpha", 1))
    netbox.devices.append(device(7, "umeda-erc", "erc", 1))
    netbox.devices.append(device(8, "umeda-gw-c", "lte-gateway", 1))
    assert problems(netbox, folder) == [
        (
            f"{HOST}/circuits/circuits/7/: cid: the site has two circuits of this carrier: A-9000 is the "
            "other; decommission one of them, or let it end elsewhere"
        ),
        (
            f"{HOST}/dcim/devices/7/: role: `erc` disagrees with `bems` of {HOST}/dcim/devices/3/ (role); "
            "mend one of them"
        ),
        (
            f"{HOST}/dcim/devices/8/: role: the site has two devices of role `lte-gateway`: umeda-gw-b is "
            "the other; change the role or the state of one of them"
        ),
    ]


def test_a_custom_field_and_an_object_that_disagree_are_a_conflict(netbox: NetBox, folder: Path) -> None:
    netbox.sites[0]["custom_fields"] |= {"heiiki_redundancy": "networks", "heiiki_controller": "bems"}
    assert problems(netbox, folder) == [
        (
            f"{HOST}/dcim/sites/1/: custom_fields.heiiki_redundancy: `networks` disagrees with "
            f"`networks_and_equipment` of {HOST}/dcim/devices/1/ (role); mend one of them"
        )
    ]


def test_what_a_new_site_lacks_is_told_with_what_to_record(netbox: NetBox, folder: Path) -> None:
    netbox.sites[1] |= {"tenant": None, "custom_fields": {"heiiki_number": 2, "heiiki_primary": "a"}}
    netbox.circuits = netbox.circuits[:4]
    at = f"{HOST}/dcim/sites/2/"
    assert problems(netbox, folder) == [
        f"{at}: a.pe: `a.pe` is missing, and the site is new; give the site the custom field `heiiki_a_pe`",
        (
            f"{at}: b.sim: `b.sim` is missing, and the site is new; give the site the custom field "
            "`heiiki_b_sim`, or record the circuit ID of the site's circuit of network B's carrier: the IMSI"
        ),
        (
            f"{at}: customer: `customer` is missing, and the site is new; give the site the custom field "
            "`heiiki_customer`, or record the site's tenant"
        ),
        (
            f"{at}: resources: `resources` is missing, and the site is new; give the site the custom field "
            "`heiiki_resources`"
        ),
    ]


def test_mistakes_are_told_at_the_object_that_has_the_value(netbox: NetBox, folder: Path) -> None:
    netbox.circuits[2]["cid"] = "4401-17"
    netbox.devices[0]["platform"] = platform("IOS XE")
    netbox.sites[1]["custom_fields"]["heiiki_number"] = "two"
    assert problems(netbox, folder) == [
        f"{HOST}/circuits/circuits/3/: cid: `4401-17` has the wrong form; write 15 digits in quotes",
        (
            f"{HOST}/dcim/devices/1/: platform: `ios_xe` is not known; write one of `frr`, `cisco_iosxe`, "
            "`juniper_junos`, `yamaha_rtx`, `nec_ix`"
        ),
        f"{HOST}/dcim/sites/2/: custom_fields.heiiki_number: `two` is not a whole number; write digits",
    ]


def test_a_gateway_is_needed(netbox: NetBox, folder: Path) -> None:
    del netbox.devices[1]
    assert problems(netbox, folder) == [
        (
            f"{HOST}/dcim/devices/1/: role: the site has a `ce-router` and no `lte-gateway`, which each site "
            "needs; record the gateway, or mend the role"
        )
    ]


def test_a_service_without_sites_gets_its_first_ones(netbox: NetBox, folder: Path) -> None:
    shutil.rmtree(folder / "sites")
    service = folder / "service.yml"
    text = service.read_text("utf-8")
    service.write_text(text.partition("\nesps:")[0] + "\nreliability:" + text.partition("\nreliability:")[2])
    netbox.sites[0]["custom_fields"] |= {
        "heiiki_primary": "a",
        "heiiki_a_pe": "pe2",
        "heiiki_resources": ["battery:direct"],
    }
    assert run(netbox, folder).exit_code == 0
    assert [one.name for one in load(folder).sites] == ["kita_no", "umeda"]


def test_every_origin_is_one_of_a_key() -> None:
    assert COMES_FROM.keys() <= site_keys().keys()
