"""The Vault server is killed: during a first issue, during a revocation, after a new list: `make long`."""

import json
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from waiting import awaited

from heiiki.pki.server.bootstrap import root
from heiiki.revocation import BOUND_S

from .commands import Commands
from .service import CREDENTIALS, HUB, SITE, VAULT_SERVICE, Service, changed

pytestmark = pytest.mark.long

FOLDER = "/etc/heiiki/pki"


def has(service: Service, device: str, path: str) -> bool:
    return service.transport.run(device, ("test", "-e", path)).rc == 0


def test_the_first_issue(service: Service) -> None:
    devices = ("namba-erc", "sakai-bems", "umeda-bems")
    for device in devices:
        service.run(device, "rm", "-r", FOLDER)
    run = service.start("site", "--limit", ",".join(devices))
    awaited("the first has a key", lambda: any(has(service, one, FOLDER) for one in devices), 120)
    service.server_dies()
    said = run.communicate()[0]
    assert run.returncode == 2, said
    without = [one for one in devices if not has(service, one, f"{FOLDER}/current")]
    assert without, "the server died too late: nothing was tried"
    assert not [one for one in devices if one not in without and service.status(one)["problems"]]
    # No device has a key without its certificate where a program looks; the next run says what it needs.
    said = service.play("site", "--limit", ",".join(devices), code=2)
    assert " needs the Vault server at https://" in " ".join(said.split())
    service.server_returns()
    service.play("site", "--limit", ",".join(devices))
    assert not [one for one in devices if service.status(one)["problems"]]
    assert set(changed(service.play("site", "--limit", ",".join(devices))).values()) == {0}


def test_a_revocation(lab: Commands, lab_inventory: Path, tmp_path: Path) -> None:
    # A copy: revoke.yml and enrol.yml write into the service.
    shutil.copytree(lab_inventory, tmp_path / "service")
    service = Service(lab, tmp_path / "service", tmp_path / "artifacts", tmp_path / "build")
    stolen, connection = "namba-gw", "s0023"
    hubs = (HUB, "hub-ce-a")
    assert all(service.associations(hub, connection) for hub in hubs)
    serial = service.serial(stolen)
    run = service.start("revoke", "-e", f"heiiki_device={stolen}")
    awaited("the device is marked", lambda: steps(service))
    service.server_dies()
    said = run.communicate()[0]
    assert run.returncode == 2, said
    assert "the revocation of namba-gw is not complete, run it again:" in " ".join(said.split())
    awaited("it is out", lambda: not any(service.associations(hub, connection) for hub in hubs))
    said = service.play("enrol", "-e", f"heiiki_device={stolen}", "-e", "heiiki_same_sim=true", code=2)
    assert "is not complete: run revoke.yml again, then this" in " ".join(said.split())
    service.server_returns()
    service.play("revoke", "-e", f"heiiki_device={stolen}")
    assert all(step["problem"] == "" for step in steps(service) if step["needed"])
    lists = service.run(HUB, "openssl", "storeutl", "-crls", "-text", "-noout", f"{FOLDER}/crl.pem")
    assert serial.upper().replace(":", "") in lists
    service.play("enrol", "-e", f"heiiki_device={stolen}", "-e", "heiiki_same_sim=true")
    awaited("it is in again", lambda: all(service.associations(hub, connection) for hub in hubs))
    service.transport.close()


@pytest.mark.parametrize("signal", ["STOP", "KILL"])
def test_a_revocation_whose_server_hangs_or_is_dead_ends_every_association(
    lab: Commands, lab_inventory: Path, tmp_path: Path, signal: str
) -> None:
    shutil.copytree(lab_inventory, tmp_path / "service")
    service = Service(lab, tmp_path / "service", tmp_path / "artifacts", tmp_path / "build")
    stolen, connection, hubs = "namba-gw", "s0023", (HUB, "hub-ce-a")
    assert all(service.associations(hub, connection) for hub in hubs)
    server = service.plan.pki.vault
    if signal == "STOP":
        service.run(server, "systemctl", "kill", "--signal=STOP", VAULT_SERVICE)
    else:
        service.server_dies()
    said = service.play("revoke", "-e", f"heiiki_device={stolen}", code=2)
    assert "is not complete, run it again: " in " ".join(said.split())
    assert not any(service.associations(hub, connection) for hub in hubs)
    taken = {str(step["name"]): step for step in steps(service)}
    for hub in hubs:
        ended, waited = taken[f"IKE SA at {hub}"], taken["certificates"]
        assert not ended["problem"]
        if signal == "STOP":
            assert str(ended["finished"]) < str(waited["finished"]), "it waited for the server"
        assert "stays withdrawn" in str(taken[f"IPsec at {hub}"]["problem"])
    for name in ("session at b-pgw", "SIM at b-hss", *(f"IKE SA at {hub}" for hub in hubs)):
        assert not taken[name]["problem"], "it needs no server"
        assert seconds(taken["mark in the intent"], taken[name]) < BOUND_S
    if signal == "STOP":
        service.run(server, "systemctl", "kill", "--signal=CONT", VAULT_SERVICE)
    else:
        service.server_returns()
    service.play("revoke", "-e", f"heiiki_device={stolen}")
    assert all(step["problem"] == "" for step in steps(service) if step["needed"])
    assert not any(service.associations(hub, connection) for hub in hubs)
    service.play("enrol", "-e", f"heiiki_device={stolen}", "-e", "heiiki_same_sim=true")
    awaited("it is in again", lambda: all(service.associations(hub, connection) for hub in hubs))
    service.transport.close()


def test_lists_outlive_the_server(service: Service) -> None:
    """A gateway that was away while a list was made gets it, though it refuses the hub until then."""
    gateway, mirrors = SITE, ("hub-ce-a", HUB)
    verifiers = tuple(one.name for one in service.plan.managed() if one.crl_source)
    older = {name: service.run(name, "cat", f"{FOLDER}/crl.pem") for name in mirrors}
    service.run(gateway, "systemctl", "stop", "heiiki-revocation")
    before = number(service, HUB)
    with root(service.access) as session:
        session.read(f"{service.plan.pki.issuing_mount}/crl/rotate")
    others = [name for name in verifiers if name != gateway]
    service.pull(*others)
    awaited("the others have the new list", lambda: all(number(service, one) > before for one in others))
    service.server_dies()
    try:
        # As one whose lists have ended: it accepts no peer, so that no tunnel leads to the mirror.
        service.run(gateway, "rm", f"{FOLDER}/crl.pem")
        service.run(gateway, "sh", "-c", "rm -f /etc/swanctl/x509crl/*")
        service.run(gateway, "swanctl", "--load-creds", "--clear", "--noprompt")
        service.run(gateway, "sh", "-c", "swanctl --terminate --ike hub-b --timeout 5 || true")
        assert not service.associations(gateway, "hub-b")
        service.run(gateway, "systemctl", "start", "heiiki-revocation")
        awaited("it has the list of a mirror", lambda: number(service, gateway) == number(service, HUB))
        awaited("its tunnel is up", lambda: service.associations(gateway, "hub-b"))
        assert "meanwhile the CRLs of " in service.run(gateway, *CREDENTIALS, "check")
        # An older list in every mirror is refused.
        newest = number(service, gateway)
        for name, pem in older.items():
            service.run(name, "systemctl", "stop", "heiiki-revocation")
            service.run(name, "sh", "-c", f"cat > {FOLDER}/crl.pem", stdin=pem)
        service.pull(gateway)
        awaited(
            "it refuses the older one",
            lambda: "is older than number" in service.run(gateway, *CREDENTIALS, "check"),
        )
        assert number(service, gateway) == newest
    finally:
        service.server_returns()
        for name in (*mirrors, gateway):
            service.run(name, "systemctl", "restart", "heiiki-revocation")
    awaited("all have the new list", lambda: {number(service, one) for one in verifiers} == {newest})


def number(service: Service, device: str) -> int:
    """Number of the issuing CA's list that a verifier has; 0 without one."""
    found = service.status(device)["crls"]
    return max((int(one["number"]) for one in found if "issuing" in one["issuer"].lower()), default=0)


def seconds(first: dict[str, object], last: dict[str, object]) -> float:
    """Time from the start of one step to the end of another."""
    began, ended = (datetime.fromisoformat(str(one)) for one in (first["started"], last["finished"]))
    return (ended - began).total_seconds()


def steps(service: Service) -> list[dict[str, object]]:
    """What the newest evidence of a revocation says so far."""
    files = sorted((service.artifacts / "revocation").glob("*.json"))
    found: list[dict[str, object]] = (
        json.loads(files[-1].read_text(encoding="utf-8"))["steps"] if files else []
    )
    return found
