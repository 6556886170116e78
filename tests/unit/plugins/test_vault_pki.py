"""The action that brings a server to the plan: what it answers Ansible, on a real server."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.heiiki.network.plugins.action.vault_pki import ActionModule
from vault_server import RunningVault, running_vault

from heiiki.state import FileSecrets

Run = Callable[..., dict[str, Any]]


class _Action(ActionModule):
    """The action without Ansible around it."""

    def __init__(self, arguments: dict[str, Any], *, check: bool) -> None:
        self._task = SimpleNamespace(check_mode=check, async_val=0, args=arguments)
        self._arguments = arguments

    def validate_argument_spec(self, spec: dict[str, Any], **_: Any) -> tuple[None, dict[str, Any]]:
        assert set(self._arguments) <= set(spec)
        return None, {**{name: option.get("default") for name, option in spec.items()}, **self._arguments}


@pytest.fixture
def service(lab_inventory: Path, tmp_path: Path) -> Path:
    """The worked example as if it were not in the lab: the server is where the environment says."""
    folder = shutil.copytree(lab_inventory, tmp_path / "service")
    text = (folder / "service.yml").read_text(encoding="utf-8")
    real = "management: {kind: ssh, user: operator, sources: [192.168.200.0/24]}"
    (folder / "service.yml").write_text(text.replace("management: {kind: lab}", real), encoding="utf-8")
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningVault]:
    with running_vault(tmp_path) as running:
        yield running


@pytest.fixture
def run(service: Path, server: RunningVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "ca.pem").write_text(server.server.ca_pem)
    for name in ("VAULT_TOKEN", "HEIIKI_VAULT_ROLE_ID", "HEIIKI_VAULT_SECRET_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAULT_ADDR", server.server.url)
    monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "ca.pem"))

    def call(*, check: bool = False, **arguments: Any) -> dict[str, Any]:
        common = {"service_dir": str(service), "secret_state": str(tmp_path / "state")}
        action = _Action({**common, **arguments}, check=check)
        monkeypatch.setattr(ActionBase, "run", lambda *_: {})
        return action.run()

    return call


def test_a_server_from_new_to_settled(run: Run, server: RunningVault, tmp_path: Path) -> None:
    with pytest.raises(AnsibleError) as caught:
        run()
    assert str(caught.value) == (
        f"setting up certificates and secrets needs {server.server}, which is not initialised; run role pki "
        "with pki_initialise, once for the service"
    )
    foreseen = run(check=True, initialise=True, unseal=True)
    assert (foreseen["changed"], foreseen["changes"]) == (True, ["sys/init"])
    assert not server.session().health().initialised
    made = run(initialise=True, unseal=True)
    assert made["changed"]
    assert [part["before_header"] for part in made["diff"]] == made["changes"]
    keys = (tmp_path / "state/secrets/vault/init.json").read_text()
    assert all(part["after"] not in keys for part in made["diff"])
    assert [run(initialise=True, unseal=True)["changed"], run()["changed"]] == [False, False]
    assert run()["warnings"] == []
    assert run(check=True, rotate="issuing")["changes"] == ["pki-issuing/issuers"]
    assert (run(check=True)["changed"], run(check=True)["changes"]) == (False, [])


def test_keys_that_several_people_hold(run: Run, server: RunningVault) -> None:
    """Initialised by the role and not unsealed: it says so and stops, and goes on when it is unsealed."""
    with pytest.raises(AnsibleError, match=r"which is sealed; unseal it"):
        run(initialise=True, key_shares=1, key_threshold=1)
    assert server.session().health().sealed
    assert run(unseal=True)["changes"][0] == "sys/seal-status"


def test_a_server_that_is_not_there_yet_is_foreseen(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first run nothing answers: a change in check mode, but not where its keys are kept."""
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    foreseen = run(check=True, initialise=True)
    assert (foreseen["changed"], foreseen["changes"]) == (True, ["sys/init"])
    assert "Connection refused" in foreseen["warnings"][0]
    for wanted in ({"check": True}, {"initialise": True}):
        with pytest.raises(AnsibleError, match="Connection refused"):
            run(**wanted)
    FileSecrets(tmp_path / "state").write("vault/init", {"threshold": "1"})
    with pytest.raises(AnsibleError, match="Connection refused"):
        run(check=True, initialise=True)
