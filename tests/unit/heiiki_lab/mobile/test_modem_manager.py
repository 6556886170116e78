"""The lab's modem answers as ModemManager does: what verifies a real gateway reads it."""

import json
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from heiiki.verify.fleet import Answer
from heiiki.verify.routing.expected import Expected, problems, question
from heiiki_lab.mobile import modem_manager
from heiiki_lab.mobile.keys import encode_plmn

PLMN = encode_plmn("440", "10")
SIM = IPv4Address("10.112.0.17")


@pytest.fixture
def mmcli(tmp_path: Path) -> Path:
    program = tmp_path / "mmcli"
    program.write_text(modem_manager.PROGRAM.replace(str(modem_manager.FOLDER), str(tmp_path)))
    return program


def said(mmcli: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", mmcli, *arguments], capture_output=True, text=True, check=False)


def show(folder: Path, state: str, *, sim: bool = True) -> None:
    modem_manager.show(
        {
            "modem": modem_manager.modem(state, PLMN, sim=sim),
            "bearer": modem_manager.bearer(state, "wwan0", "apn.example", str(SIM)),
        },
        folder,
    )


def asked(mmcli: Path) -> list[str]:
    """What the verification finds wrong with a gateway whose modem answers by `mmcli`."""
    expected = Expected("gw", sim=SIM)
    command = question(expected)["commands"]["modem"]
    assert command[0] == "mmcli"
    done = said(mmcli, *command[1:])
    addresses = json.dumps([{"addr_info": [{"local": str(SIM)}]}])
    answers = {
        "modem": {"rc": done.returncode, "out": done.stdout, "err": done.stderr},
        "addresses": {"rc": 0, "out": addresses, "err": ""},
    }
    return problems(expected, Answer("gw", {"commands": answers}, "", b""))


@pytest.mark.parametrize(
    ("state", "sim", "wrong"),
    [
        ("attached", True, []),
        ("searching", True, ["gw: its modem is searching"]),
        ("attaching", True, ["gw: its modem is searching"]),
        ("off", False, ["gw: its modem is failed (sim-missing)"]),
        ("off", True, ["gw: its modem is failed"]),
    ],
)
def test_the_verification_reads_each_state(
    mmcli: Path, tmp_path: Path, state: str, sim: bool, wrong: list[str]
) -> None:
    show(tmp_path, state, sim=sim)
    assert asked(mmcli) == wrong


def test_without_its_process_there_is_no_modem(mmcli: Path, tmp_path: Path) -> None:
    assert asked(mmcli) == ["gw: ModemManager shows no modem: error: couldn't find modem"]
    show(tmp_path, "attached")
    ended = subprocess.Popen(["true"])
    ended.wait()
    (tmp_path / "pid").write_text(f"{ended.pid}\n")
    assert asked(mmcli) == ["gw: ModemManager shows no modem: error: couldn't find modem"]


def test_the_bearer_has_apn_and_address(mmcli: Path, tmp_path: Path) -> None:
    show(tmp_path, "attached")
    modem = json.loads(said(mmcli, "-m", "any", "-J").stdout)["modem"]
    assert modem["3gpp"] == {"operator-code": "44010", "registration-state": "home"}
    (path,) = modem["generic"]["bearers"]
    bearer = json.loads(said(mmcli, "-b", path, "-J").stdout)["bearer"]
    assert bearer["status"] == {"connected": "yes", "interface": "wwan0"}
    assert (bearer["properties"]["apn"], bearer["ipv4-config"]["address"]) == ("apn.example", str(SIM))


def test_what_it_does_not_know_is_an_error(mmcli: Path) -> None:
    assert said(mmcli, "--scan").returncode == 1


@pytest.mark.parametrize(("mcc", "mnc"), [("440", "10"), ("310", "410")])
def test_the_operator_code_is_that_of_the_network(mcc: str, mnc: str) -> None:
    assert modem_manager.operator_code(encode_plmn(mcc, mnc)) == mcc + mnc
