"""The action device_revocation: two runs, a step that fails, check mode, reinstatement; on a real server."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action import device_revocation
from vault_server import SetUpVault

from heiiki import revocation
from heiiki.errors import TransportError, VaultError, VaultFault
from heiiki.pki import marks
from heiiki.pki.revoke import issued, of_device, revoked_since
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Pki
from heiiki.service import model as use_cases
from heiiki.transport import Completed
from heiiki.verify import equipment

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
        return Completed(0, json.dumps({"changed": changed, "error": ""}).encode(), b"")


class Action(device_revocation.ActionModule):
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
            "state": "revoked",
            "reason": "stolen",
            "same_sim": False,
            "secret_state": None,
        }
        return Action(arguments | more, check=check).run()

    @property
    def evidence(self) -> list[dict[str, Any]]:
        found = sorted(self.folder.parent.glob("artifacts/revocation/*.json"))
        return [json.loads(path.read_text()) for path in found]


@pytest.fixture
def service(
    tmp_path: Path, lab_inventory: Path, lab_vault: SetUpVault, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    made = Service(Path(shutil.copytree(lab_inventory, tmp_path / "service")))

    @contextmanager
    def transport(*_: object) -> Iterator[Nodes]:
        yield made.nodes

    @contextmanager
    def secrets(_: object, *, hurried: bool) -> Iterator[Any]:
        assert hurried, "a server that hangs must not hold the other steps up"
        yield lambda path, field: f"{path} {field}"

    # As on a real network, where nothing is tried that must be refused.
    way = SimpleNamespace(transport=transport, test_equipment=lambda *_, **__: equipment.TestEquipment())
    monkeypatch.setattr(use_cases, "management", lambda _: way)
    monkeypatch.setattr(use_cases.Service, "vault", lambda *_: lab_vault.access)
    monkeypatch.setattr(use_cases.Service, "secrets", secrets)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    yield made
    with logged_in(lab_vault.access, AppRole.CONFIGURATOR) as vault:
        marks.lift(vault, lab_vault.trust, lab_vault.identity(DEVICE))


def test_the_second_run_changes_nothing_and_measures_nothing(service: Service, lab_vault: SetUpVault) -> None:
    lab_vault.certificate(DEVICE)
    first = service.run()
    assert (first["changed"], first.get("failed"), first["cut"]) == (
        True,
        None,
        "umeda goes on over umeda-ce-a",
    )
    (document,) = service.evidence
    assert (document["complete"], document["device"]) == (True, DEVICE)
    assert document["seconds"] == first["seconds"] < document["bound_s"]
    changed = {step["name"]: step["changed"] for step in document["steps"]}
    assert changed["mark in the intent"] == ["revoked.yml"]
    assert changed["certificates"][0] == "mark at the Vault server"
    assert changed["certificates"][1].startswith("certificate ")
    assert first["doors"] == first["steps"]
    # Its only peer, and its SIM; where nothing may be tried, no other access is known.
    rows = {(row["access"], row["place"]): row for row in first["accesses"]}
    assert rows.keys() == {("IPsec", "hub-ce-b"), ("LTE", "b-hss, b-pgw")}
    assert {row["outcome"] for row in rows.values()} == {"shut"}
    assert document["accesses"] == first["accesses"]
    last = first["accesses"][-1]
    where = f"{last['access']} at {last['place']}"
    assert first["table"][-1] == f"last shut: {where}, {last['seconds']:.1f} s (10 s at most)"
    assert first["table"][-2] == f"{where}: shut after {last['seconds']:.1f} s"
    assert [step["name"] for step in first["steps"]] == [step["name"] for step in document["steps"]]
    assert DEVICE in (service.folder / "revoked.yml").read_text()
    assert DEVICE not in service.nodes.seen
    second = service.run()
    assert (second["changed"], len(service.evidence)) == (False, 1)


def test_a_step_that_fails_fails_the_run_and_the_next_completes_it(service: Service) -> None:
    service.nodes.away = {"b-hss", "sakai-gw-b"}
    first = service.run()
    assert first["failed"]
    assert "is not complete, run it again: SIM at b-hss: b-hss: no connection" in first["msg"]
    assert first["warnings"] == ["CRL at sakai-gw-b: sakai-gw-b: no connection"]
    assert not service.evidence[0]["complete"]
    assert "b-pgw" in service.nodes.seen
    service.nodes.away = set()
    again = service.run()
    assert (again["changed"], again.get("failed")) == (True, None)


def test_without_the_server_the_other_steps_are_taken(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise VaultError("nothing says which CA vouches for the Vault server", VaultFault.TLS)

    monkeypatch.setattr(use_cases.Service, "vault", away)
    answer = service.run()
    assert "certificates: nothing says which CA vouches" in answer["msg"]
    assert {"hub-ce-b", "b-hss", "b-pgw"} <= set(service.nodes.seen)
    assert (service.folder / "revoked.yml").exists()


def test_check_mode_revokes_nothing(service: Service) -> None:
    answer = service.run(check=True)
    assert (answer["changed"], answer["would_take"]) == (True, ["IPsec at hub-ce-b"])
    assert (service.nodes.seen, service.evidence) == ([], [])
    assert not (service.folder / "revoked.yml").exists()


def test_an_unknown_device(service: Service) -> None:
    with pytest.raises(AnsibleError, match="there is no device `umeda-gwb`"):
        service.run(device="umeda-gwb")


def test_the_replacement_is_reinstated_once(service: Service) -> None:
    service.run()
    with pytest.raises(AnsibleError, match="was in the device that is revoked"):
        service.run(state="active")
    assert service.run(state="active", same_sim=True, check=True) == {"changed": True}
    assert service.run(state="active", same_sim=True) == {"changed": True}
    assert service.run(state="active") == {"changed": False}


def test_a_checkout_without_the_mark_lifts_that_of_the_server_when_the_sim_is_known(
    service: Service, lab_vault: SetUpVault
) -> None:
    service.run()
    (service.folder / "revoked.yml").unlink()
    with pytest.raises(AnsibleError, match=r"and revoked\.yml does not say so, nor which SIM was in it: get"):
        service.run(state="active")
    assert service.run(state="active", same_sim=True, check=True) == {"changed": True}
    with logged_in(lab_vault.access, AppRole.AUDITOR) as vault:
        assert marks.is_marked(vault, lab_vault.trust, DEVICE)
        assert service.run(state="active", same_sim=True) == {"changed": True}
        assert not marks.is_marked(vault, lab_vault.trust, DEVICE)
    assert service.run(state="active") == {"changed": False}


def test_a_server_that_signs_for_a_marked_device_is_a_problem(
    service: Service, lab_vault: SetUpVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lifted(vault: Vault, trust: Pki, device: str) -> None:
        with logged_in(lab_vault.access, AppRole.CONFIGURATOR) as configurator:
            marks.lift(configurator, trust, lab_vault.identity(device))

    monkeypatch.setattr(marks, "mark", lifted)
    answer = service.run()
    assert "the Vault server has signed for umeda-gw-b although it is marked there" in answer["msg"]
    with logged_in(lab_vault.access, AppRole.REVOKER) as vault:
        mine = of_device(issued(vault, lab_vault.trust), lab_vault.identity(DEVICE))
        assert {one.serial for one in mine} <= set(revoked_since(vault, lab_vault.trust))


def test_states_of_the_release_before_are_taken(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(device_revocation.display, "deprecated", lambda text, **_: told.append(text))
    assert service.run(state="shut_out")["changed"]
    assert service.run(state="replaced", same_sim=True) == {"changed": True}
    assert told == ["state: shut_out is called revoked", "state: replaced is called active"]


@pytest.mark.parametrize("kind", ["modules", "action"])
def test_the_name_of_the_release_before_leads_here(kind: str, root: Path) -> None:
    routing = yaml.safe_load((root / "meta/runtime.yml").read_text())["plugin_routing"][kind]
    assert routing["theft"]["redirect"] == "heiiki.network.device_revocation"


@pytest.mark.parametrize("killed_at", range(6))
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(service: Service, killed_at: int) -> None:
    """Whatever was done by then, the next run completes it, and the one after finds nothing to do."""
    real = revocation.Record.add

    def killed(self: Any, step: Any) -> Any:
        if len(self.document["steps"]) == killed_at:
            raise KeyboardInterrupt
        return real(self, step)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(revocation.Record, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            service.run()
    (cut_off,) = service.evidence
    assert not cut_off["complete"]
    with pytest.raises(AnsibleError, match="is not complete"):
        service.run(state="active", same_sim=True)
    again = service.run()
    assert again.get("failed") is None
    (document,) = service.evidence
    assert (document["complete"], document["started"]) == (True, cut_off["started"])
    assert service.run()["changed"] is False
    assert service.run(state="active", same_sim=True) == {"changed": True}
