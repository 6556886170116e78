"""The action theft: two runs, a door that stays open, check mode, and the replacement; on a real server."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action import theft
from vault_server import SetUpVault

from heiiki.errors import TransportError
from heiiki.transport import Completed

DEVICE = "umeda-gw-b"


class Nodes:
    """Devices that do as they are told: the first time there is something to do."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.away: set[str] = set()

    def run(self, device: str, *_: Any, **__: Any) -> Completed:
        if device in self.away:
            raise TransportError(f"{device}: no connection")
        changed = [] if device in self.seen else ["done"]
        self.seen.append(device)
        return Completed(0, json.dumps({"changed": changed, "problems": []}).encode(), b"")


class Action(theft.ActionModule):
    """The action without Ansible around it."""

    def __init__(self, arguments: dict[str, Any], *, check: bool) -> None:
        self._arguments = arguments
        self._task = type("Task", (), {"check_mode": check})()

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments


class Service:
    """A service in a folder of its own, and what is run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.nodes = folder, Nodes()

    def run(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {
            "device": DEVICE,
            "service_dir": str(self.folder),
            "artifacts": str(self.folder.parent / "artifacts"),
            "state": "shut_out",
            "reason": "stolen",
            "same_sim": False,
            "secret_state": None,
        }
        return Action(arguments | more, check=check).run()

    @property
    def evidence(self) -> list[dict[str, Any]]:
        found = sorted(self.folder.parent.glob("artifacts/theft/*.json"))
        return [json.loads(path.read_text()) for path in found]


@pytest.fixture
def service(
    tmp_path: Path, lab_inventory: Path, lab_vault: SetUpVault, monkeypatch: pytest.MonkeyPatch
) -> Service:
    made = Service(Path(shutil.copytree(lab_inventory, tmp_path / "service")))

    @contextmanager
    def transport_for(*_: object) -> Iterator[Nodes]:
        yield made.nodes

    monkeypatch.setattr(theft, "transport_for", transport_for)
    monkeypatch.setattr(theft, "vault_access", lambda *_: lab_vault.access)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    return made


def test_the_second_run_changes_nothing_and_measures_nothing(service: Service, lab_vault: SetUpVault) -> None:
    lab_vault.certificate(DEVICE)
    first = service.run()
    assert (first["changed"], first.get("failed"), first["cut"]) == (
        True,
        None,
        "umeda goes on over umeda-ce-a",
    )
    (document,) = service.evidence
    assert (document["shut"], document["device"]) == (True, DEVICE)
    assert document["seconds"] == first["seconds"] < document["bound_s"]
    assert document["doors"][0]["changed"][0].startswith("certificate ")
    assert DEVICE in (service.folder / "revoked.yml").read_text()
    assert DEVICE not in service.nodes.seen
    second = service.run()
    assert (second["changed"], len(service.evidence)) == (False, 1)


def test_a_door_that_stays_open_fails_the_run_and_the_next_shuts_it(service: Service) -> None:
    service.nodes.away = {"b-hss", "sakai-gw-b"}
    first = service.run()
    assert first["failed"]
    assert "run again: SIM at b-hss: b-hss: no connection" in first["msg"]
    assert first["warnings"] == ["CRL at sakai-gw-b: sakai-gw-b: no connection"]
    assert not service.evidence[0]["shut"]
    assert "b-pgw" in service.nodes.seen
    service.nodes.away = set()
    again = service.run()
    assert (again["changed"], again.get("failed")) == (True, None)


def test_without_the_server_the_other_doors_are_shut(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise AnsibleError("nothing says which CA vouches for the Vault server")

    monkeypatch.setattr(theft, "vault_access", away)
    answer = service.run()
    assert "certificates: nothing says which CA vouches" in answer["msg"]
    assert {"hub-ce-b", "b-hss", "b-pgw"} <= set(service.nodes.seen)
    assert (service.folder / "revoked.yml").exists()


def test_check_mode_shuts_nothing(service: Service) -> None:
    answer = service.run(check=True)
    assert (answer["changed"], answer["would_shut"]) == (True, ["IPsec at hub-ce-b"])
    assert (service.nodes.seen, service.evidence) == ([], [])
    assert not (service.folder / "revoked.yml").exists()


def test_an_unknown_device(service: Service) -> None:
    with pytest.raises(AnsibleError, match="there is no device `umeda-gwb`"):
        service.run(device="umeda-gwb")


def test_the_replacement_is_let_in_once(service: Service) -> None:
    service.run()
    with pytest.raises(AnsibleError, match="was in the device that is shut out"):
        service.run(state="replaced")
    assert service.run(state="replaced", same_sim=True, check=True) == {"changed": True}
    assert service.run(state="replaced", same_sim=True) == {"changed": True}
    assert service.run(state="replaced") == {"changed": False}
