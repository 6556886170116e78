"""The operator's commands at a real registration authority, by a way to its host that is here."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from est_world import CISCO, EstWorld, est_vault, est_world
from vault_server import SetUpVault
from vendor_service import FOLDER
from waiting import awaited

from heiiki.cli.main import cli
from heiiki.pki import marks
from heiiki.pki.revoke import revoke
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import REGISTRAR_LOGIN, AppRole
from heiiki.service import Service, network, opened
from heiiki.service.certificates import Renewed, _registrar_admitted
from heiiki.service.enrolment import Admitted, renew_log_in
from heiiki.transport import Completed
from heiiki.verify.equipment import TestEquipment as Equipment
from heiiki_agent.pki.x509 import Certificate


class Here:
    """Runs the operator's program here."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        assert (device, argv[2]) == ("dras", "operate")
        command = [sys.executable, "-m", "heiiki_agent.est", *argv[2:], "--control", str(self._control)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def set_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    with est_vault(tmp_path_factory.mktemp("enrolment")) as made:
        yield made


@pytest.fixture
def world(set_up: SetUpVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EstWorld]:
    """Give the program, which the commands of this test reach."""

    class Way:
        @contextmanager
        def transport(self, _plan: Any, _hosts: Any) -> Iterator[Here]:
            yield Here(tmp_path / "control")

        def test_equipment(self, plan: Any, *, faults: bool) -> Equipment:  # noqa: ARG002 - the Protocol's
            assert not faults
            return Equipment()

    monkeypatch.setattr(Service, "management", Way())
    monkeypatch.setattr(Service, "vault", lambda _self, _purpose: set_up.access)
    monkeypatch.setattr("heiiki.cli.est.opened", lambda _folder: with_est(set_up))
    with est_world(set_up, tmp_path) as made:
        yield made


def with_est(set_up: SetUpVault) -> Service:
    return replace(opened(FOLDER), plan=set_up.plan)


def heiiki(*words: str) -> Result:
    command, *rest = words
    return CliRunner().invoke(cli, ["est", command, str(FOLDER), *rest])


def test_a_secret_is_printed_once_and_enrols_one_device(world: EstWorld) -> None:
    done = heiiki("secret", CISCO, "--trust", "voucher 123")
    assert done.exit_code == 0, done.output
    secret = done.stdout.strip()
    assert done.stderr.startswith(f"{CISCO}: good for one certificate until 20")
    assert done.stderr.endswith("; trusted by: voucher 123\n")
    assert secret not in done.stderr
    made = world.enrol(world.device(CISCO), secret).certificate
    listed = heiiki("list").stdout
    assert secret not in listed
    (line,) = (line for line in listed.splitlines() if f"certificate {Certificate(made).serial}" in line)
    assert line.endswith("voucher 123")
    assert f"{CISCO}" in line
    assert "esp-kansai     nothing yet" in listed


def test_a_secret_is_withdrawn(world: EstWorld) -> None:
    secret = heiiki("secret", CISCO, "--trust", "on first use, by M. Sato", "--days", "1").stdout.strip()
    said = [heiiki("withdraw", CISCO).stdout for _ in range(2)]
    assert said == [f"{CISCO}: its secret is good no more\n", f"{CISCO}: had no secret that was good\n"]
    assert world.enrol(world.device(CISCO), secret).status == 401


@pytest.mark.parametrize(
    ("device", "trust", "said"),
    [
        (
            "umeda-ce-a",
            "voucher 1",
            "umeda-ce-a: no device that is called so enrols by EST; known: esp-kansai",
        ),
        (CISCO, "because", "secret: trust: is wrong: 'because' does not match"),
    ],
)
@pytest.mark.usefixtures("world")
def test_no_secret_without_a_device_and_a_reason(device: str, trust: str, said: str) -> None:
    done = heiiki("secret", device, "--trust", trust)
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr


@pytest.mark.usefixtures("world")
def test_no_secret_for_a_device_that_is_revoked_at_the_server(set_up: SetUpVault) -> None:
    with logged_in(set_up.access, AppRole.REVOKER) as session:
        marks.mark(session, set_up.trust, CISCO)
    try:
        done = heiiki("secret", CISCO, "--trust", "voucher 1", "--replacement")
    finally:
        with logged_in(set_up.access, AppRole.CONFIGURATOR) as session:
            marks.lift(session, set_up.trust, set_up.identity(CISCO))
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{CISCO} is revoked at the Vault server; only enrol.yml" in done.stderr
    assert heiiki("secret", CISCO, "--trust", "voucher 1").exit_code == 0


def test_a_device_whose_newest_certificate_is_revoked_is_a_replacement_or_gets_nothing(
    world: EstWorld, set_up: SetUpVault
) -> None:
    _, made = world.certified(CISCO)
    with logged_in(set_up.access, AppRole.REVOKER) as session:
        revoke(session, set_up.trust, [Certificate(made).serial])
    done = heiiki("secret", CISCO, "--trust", "voucher 1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"the newest certificate of {CISCO} was revoked on" in done.stderr
    # A secret of the same second may be older than the revocation, and counts as such.
    revoked = int(time.time())
    awaited("the next second", lambda: time.time() > revoked + 1)
    secret = heiiki("secret", CISCO, "--trust", "voucher 2", "--replacement").stdout.strip()
    assert world.enrol(world.device(CISCO), secret).status == 200


def test_the_log_in_is_taken_by_the_server_and_with_each_renewal(world: EstWorld, set_up: SetUpVault) -> None:
    service = with_est(set_up)
    assert heiiki("admit").stdout == "the Vault server knows its certificate\n"
    for file in (world.folder / "log-in").iterdir():
        file.unlink()
    assert renew_log_in(service, "umeda-ce-a") == Admitted()
    assert _registrar_admitted(service, Renewed("umeda-ce-a")) == Renewed("umeda-ce-a")
    found = _registrar_admitted(service, Renewed("dras"))
    assert found == Renewed("dras", ("a new log-in of the registration authority",), changed=True)
    assert renew_log_in(service, "dras") == Admitted()
    world.end()
    (warning,) = _registrar_admitted(service, Renewed("dras")).warnings
    assert warning.startswith("the log-in of the registration authority on dras was not renewed: dras: ")


def test_a_service_without_one_says_so() -> None:
    done = CliRunner().invoke(cli, ["est", "list", str(FOLDER)])
    assert done.exit_code == 1
    assert "has no registration authority: write `enrolment: est` in service.yml" in done.stderr


def test_the_log_in_goes_first_when_its_host_is_revoked(world: EstWorld, set_up: SetUpVault) -> None:
    service, dras = with_est(set_up), set_up.plan.device("dras")
    secret = world.secret(CISCO)
    assert network._certificates(service, dras).serials
    try:
        assert set_up.running.root.read(REGISTRAR_LOGIN) is None
        assert world.enrol(world.device(CISCO), secret).status == 503
    finally:
        with logged_in(set_up.access, AppRole.CONFIGURATOR) as session:
            marks.lift(session, set_up.trust, set_up.identity("dras"))
    assert world.admit()
    assert world.enrol(world.device(CISCO), secret).status == 200
