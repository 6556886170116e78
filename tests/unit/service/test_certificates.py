"""The use case renew while the Vault server cannot be reached."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.heiiki.network.plugins.module_utils.certificate_assessment import assess
from click.testing import CliRunner
from fake_vault import Authority

from heiiki import service as use_cases
from heiiki.cli.main import cli
from heiiki.errors import VaultError
from heiiki.pki import enrol
from heiiki.plan.model import Plan
from heiiki.service import Service, certificates
from heiiki.verify.fleet import Answer


@dataclass
class Devices:
    """Devices with certificates of an age, by the code that assesses them there."""

    plan: Plan
    share_used: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def run(self, programs: Mapping[str, Any], _timeout: float) -> dict[str, Answer]:
        return {name: Answer(name, self._assessed(name, own), "", b"") for name, own in programs.items()}

    def _assessed(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        names = enrol.names(enrol.planned(self.plan)["devices"][name])
        share = self.share_used.get(name, 0.1)
        certificate = {
            "serial": "01",
            "issuer": "CN=Issuing 1",
            "issuer_sha256": "aa",
            "not_before": "2026-11-01T00:00:00Z",
            "not_after": "2026-12-01T00:00:00Z",
            "share_used": share,
            "days_left": 30 * (1 - share),
            "names": {kind: sorted(values) for kind, values in names.items()},
        }
        status = {"certificate": certificate, "wanted": names, "problems": [], "loaded": True}
        status |= {"anchors": [], "server_anchors": []}

        def program(command: str, _given: object = None) -> dict[str, Any]:
            self.asked.append(command)
            return status

        return assess(program, wanted, check=wanted["check"])  # type: ignore[arg-type]


@dataclass
class Away:
    """A network whose Vault server does not listen."""

    address: str
    ca: Path

    def environment(self) -> dict[str, str]:
        login = {"HEIIKI_VAULT_ROLE_ID": "r", "HEIIKI_VAULT_SECRET_ID": "s"}
        return {"VAULT_ADDR": self.address, "VAULT_CACERT": str(self.ca), **login}

    def vault_connector(self, _plan: Plan, _server: object) -> None:
        """Reach the server by its address."""


@pytest.fixture
def devices(lab_plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Devices:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    (tmp_path / "ca.pem").write_text(Authority("Root").pem)
    found = Devices(lab_plan)

    @contextmanager
    def fleet(_service: Service) -> Iterator[Devices]:
        yield found

    monkeypatch.setattr(Service, "management", Away(f"https://127.0.0.1:{port}", tmp_path / "ca.pem"))
    monkeypatch.setattr(Service, "fleet", fleet)
    monkeypatch.setattr(certificates, "program", lambda _name, parameters: parameters)
    return found


@pytest.fixture
def service(devices: Devices, lab_inventory: Path, tmp_path: Path) -> Service:
    return Service(lab_inventory, devices.plan, tmp_path / "state")


def test_a_device_that_needs_nothing_is_left_alone_with_a_warning(service: Service) -> None:
    (one,) = certificates.renew(service, ["umeda-bems"])
    assert (one.reasons, one.changed, one.problem) == ((), False, "")
    assert one.warnings[0].startswith("a certificate may stay, but whether its CA was replaced could not")
    assert "Connection refused" in one.warnings[0]


def test_a_device_that_is_due_and_can_wait_is_left_alone(service: Service, devices: Devices) -> None:
    devices.share_used["umeda-bems"] = 0.7
    (one,) = certificates.renew(service, ["umeda-bems"])
    assert (one.changed, one.problem) == (False, "")
    assert one.reasons[0].endswith("; that can wait")
    assert one.warnings[0] == ("umeda-bems: 9.0 days are left, and its certificate cannot be renewed now")
    assert set(devices.asked) == {"status"}


@pytest.mark.parametrize("check", [False, True])
def test_one_that_cannot_wait_is_a_problem(service: Service, devices: Devices, *, check: bool) -> None:
    devices.share_used["umeda-bems"] = 0.95
    first, second = certificates.renew(service, ["dras", "umeda-bems"], check=check)
    assert (first.device, first.problem) == ("dras", "")
    assert second.problem.startswith("needs a certificate: 95% of its life is gone")
    assert "Connection refused" in second.problem
    assert not second.changed


def test_what_was_asked_for_by_force_is_a_problem(service: Service) -> None:
    (one,) = certificates.renew(service, ["umeda-bems"], force=True)
    assert one.problem.startswith("needs a certificate: asked for. issuing certificates needs")


def test_a_rotation_needs_the_server(service: Service) -> None:
    with pytest.raises(VaultError, match="Connection refused"):
        certificates.renew(service, ["umeda-bems"], server_needed=True)


@pytest.mark.parametrize(("share", "code"), [(0.1, 0), (0.7, 0), (0.95, 1)])
def test_the_command_fails_only_for_what_cannot_wait(
    service: Service, devices: Devices, monkeypatch: pytest.MonkeyPatch, share: float, code: int
) -> None:
    devices.share_used["umeda-bems"] = share
    monkeypatch.setattr(use_cases, "opened", lambda _folder, **_more: service)
    done = CliRunner().invoke(cli, ["renew", str(service.folder)])
    assert done.exit_code == code, done.output
    assert "warning: a certificate may stay" in done.output
    assert done.output.count("Connection refused") == 1 + code


def test_a_device_whose_only_way_is_by_its_certificate_is_not_told_to_find_another(devices: Devices) -> None:
    """One on the air is handed its certificate; a cabled one first shows that it reaches the server."""
    trust: dict[str, Any] = {"anchors": [], "server_anchors": [], "issuer_sha256": "aa", "warnings": ()}
    barred: dict[str, Any] = {"revoked_devices": {}, "revoked_serials": {}}
    shared = {**enrol.planned(devices.plan), **trust, **barred}
    asked = {}
    for name in ("namba-erc", "umeda-bems"):
        devices.asked.clear()
        devices.share_used[name] = 0.99
        chosen = {"force": False, "compromised": False, "check": False, "wait_s": 1}
        run = certificates._Run(devices, certificates._Issuer(shared), **chosen)  # type: ignore[arg-type]
        (found,) = run.all([name])
        assert found.problem == ""
        asked[name] = list(devices.asked)
    assert asked == {"namba-erc": ["status", "request"], "umeda-bems": ["status", "reach", "request"]}
