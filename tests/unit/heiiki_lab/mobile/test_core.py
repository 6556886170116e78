"""Files and commands of every node, and what health makes of the nodes' status files."""

import json
import stat
import subprocess
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from heiiki_lab.mobile import (
    MODEM_PATH,
    End,
    Link,
    MobileCore,
    Radio,
    attempt,
    commands,
    core,
    core_health,
    enb,
    files,
    forge,
    health,
    respawn,
    start_order,
    ue,
    usim,
)


def link(number: int, a: str, b: str, name: str) -> Link:
    first = IPv4Address("192.0.2.0") + 2 * number
    return Link(End(a, name, first), End(b, name, first + 1))


@pytest.fixture
def network() -> MobileCore:
    radios = [link(5, "enb", "gw", "r-gw"), link(6, "enb", "test-ue", "r-str")]
    return MobileCore(
        mcc="440",
        mnc="10",
        tac=7,
        hss="hss",
        mme="mme",
        sgw="sgw",
        pgw="pgw",
        enb="enb",
        s6a=link(0, "hss", "mme", "s6a"),
        s11=link(1, "mme", "sgw", "s11"),
        s5=link(2, "sgw", "pgw", "s5"),
        s1_mme=link(3, "enb", "mme", "s1mme"),
        s1_u=link(4, "enb", "sgw", "s1u"),
        sgw_address=IPv4Address("198.51.100.3"),
        radios=(
            Radio(radios[0].a, radios[0].b, modem=True, mtu=1358),
            Radio(radios[1].a, radios[1].b, modem=False, mtu=1358),
        ),
    )


def read(network: MobileCore, node: str, path: str) -> str:
    return files(network)[node][path].content.decode()


def respawn_config(network: MobileCore, node: str) -> respawn.Config:
    return respawn.parse_config(read(network, node, core._RESPAWN_PATH))


def test_every_node_has_files_and_all_but_the_test_ue_a_command(network: MobileCore) -> None:
    assert set(files(network)) == {"hss", "mme", "sgw", "pgw", "enb", "gw", "test-ue"}
    # The PGW is a service: its role starts it.
    assert set(commands(network)) == set(start_order(network)) == set(files(network)) - {"test-ue", "pgw"}
    assert list(files(network)["pgw"]) == ["/etc/systemd/system/heiiki-pgw.service"]


def test_link_ends() -> None:
    s11 = link(1, "mme", "sgw", "s11")
    assert (s11.end("sgw"), s11.peer("sgw")) == (s11.b, s11.a)
    with pytest.raises(KeyError):
        s11.peer("enb")


def test_plmn_matches_the_guest_sides_own(network: MobileCore) -> None:
    config = enb.parse_config(read(network, "enb", core._ENB_PATH))
    assert (config.cell.plmn.hex(), config.cell.tac) == ("44f001", 7)
    assert ue.parse_config(read(network, "gw", MODEM_PATH)).plmn == config.cell.plmn


def test_radio_ends_meet(network: MobileCore) -> None:
    ends = enb.parse_config(read(network, "enb", core._ENB_PATH)).radios
    assert ends == tuple(radio.enb.interface for radio in network.radios)
    modem = ue.parse_config(read(network, "gw", MODEM_PATH))
    assert modem.interface == network.radios[0].ue.interface


def test_sgw_has_one_address_that_every_neighbour_has_a_route_to(network: MobileCore) -> None:
    assert respawn_config(network, "sgw").addresses == ("198.51.100.3/32",)
    routes = [respawn_config(network, node).routes[0] for node in ("mme", "enb")]
    assert routes == [f"198.51.100.3/32 via 192.0.2.{last}" for last in (3, 9)]
    assert "192.0.2.5/32 dev s5 src 198.51.100.3" in respawn_config(network, "sgw").routes


def test_mme_follows_the_sgw_and_the_hss_follows_the_mme(network: MobileCore) -> None:
    mme_on_s11, hss_on_s6a = str(network.s11.a.address), str(network.s6a.a.address)
    assert respawn_config(network, "sgw").announce == (mme_on_s11,)
    assert respawn_config(network, "mme").announce == (hss_on_s6a,)
    assert respawn_config(network, "mme").follow == ("nextepc-mmed",)
    assert respawn_config(network, "hss").follow == ("nextepc-hssd",)


def test_mme_offers_only_the_algorithms_that_the_modem_can(network: MobileCore) -> None:
    config = json.loads(read(network, "mme", "/etc/heiiki-mobile/nextepc-mmed.conf"))
    assert config["mme"]["security"] == {"integrity_order": ["EIA2"], "ciphering_order": ["EEA2"]}
    assert config["sgw"]["gtpc"]["addr"] == "198.51.100.3"
    assert config["mme"]["freeDiameter"]["connect"] == [
        {"identity": "hss.epc.heiiki", "addr": str(network.s6a.a.address)}
    ]


def test_keys_stand_in_the_sim_alone(network: MobileCore) -> None:
    card = usim("440100000000001", bytes(16), bytes(16))
    assert stat.filemode(card.mode)[1:] == "rw-------"
    everything = b"".join(file.content for node in files(network).values() for file in node.values())
    assert b"0" * 32 not in everything


def test_tests_from_a_node_without_a_modem() -> None:
    assert attempt("/sim.json", "der-a")[-4:] == ["--usim", "/sim.json", "--apn", "der-a"]
    forged = forge(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2"), 3)
    assert forged[-4:] == ["--forge", "10.0.0.1", "10.0.0.2", "3"]


# --- health ---


class Nodes:
    """Status files as healthy nodes write them, with what a test changes."""

    def __init__(self) -> None:
        running = {"daemons": {"d": {"ready": True}}, "epoch": "e", "twin_epoch": "e", "at": 10.0}
        self.status: dict[tuple[str, str], dict[str, Any]] = {
            (node, "respawn"): dict(running) for node in ("hss", "mme", "sgw", "enb")
        }
        radios = {"r-gw": {"attached": True}, "r-str": {"attached": False}}
        self.status["enb", "enb"] = {"s1": True, "s1_u_echo": True, "radios": radios, "at": 10.0}
        self.status["pgw", "pgw"] = {"at": 10.0}
        self.status["gw", "ue"] = {"state": "attached", "at": 10.0}

    def execute(self, node: str, argv: Sequence[str]) -> tuple[int, bytes]:
        status = self.status.get((node, Path(argv[-1]).stem))
        return (1, b"") if status is None else (0, json.dumps(status).encode() + b"11.50 20.00\n")


def test_healthy(network: MobileCore) -> None:
    assert health(network, Nodes().execute) == []


@pytest.mark.parametrize(
    ("where", "change", "problem"),
    [
        (("hss", "respawn"), None, "hss: the respawner does not run"),
        (("hss", "respawn"), {"at": 1.0}, "hss: the respawner does not run"),
        (("sgw", "respawn"), {"daemons": {"sgwd": {"ready": False}}}, "sgw: sgwd is not ready"),
        (("mme", "respawn"), {"twin_epoch": "old"}, "mme: has not yet followed the last start of sgw"),
        (("enb", "enb"), {"s1": False}, "enb: S1 is not set up"),
        (("enb", "enb"), {"s1_u_echo": False}, "enb: the SGW does not answer GTP-U Echo"),
        (("enb", "enb"), {"radios": {"r-gw": {"attached": False}}}, "enb: no bearer for gw"),
        (("enb", "enb"), None, "enb: the eNB does not run"),
        (("pgw", "pgw"), None, "pgw: the packet gateway does not run"),
        (("gw", "ue"), {"state": "searching"}, "gw: the modem is searching"),
        (("gw", "ue"), None, "gw: the modem does not run"),
    ],
)
def test_each_thing_that_is_not_up_is_said(
    network: MobileCore, where: tuple[str, str], change: dict[str, Any] | None, problem: str
) -> None:
    nodes = Nodes()
    if change is None:
        del nodes.status[where]
    else:
        nodes.status[where] |= change
    assert health(network, nodes.execute) == [problem]


def test_status_of_a_dead_process_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "ue.json"
    for pid, code in ((1, 0), (2**22 + 1, 1)):
        path.write_text(json.dumps({"pid": pid, "at": 1.0}))
        argv = ["sh", "-c", core_health._READ_STATUS, "sh", str(path)]
        done = subprocess.run(argv, capture_output=True, check=False)
        assert min(done.returncode, 1) == code
