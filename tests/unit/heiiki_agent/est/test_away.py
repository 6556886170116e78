"""A Vault server that is sealed, hangs, loses an answer, or does not know the registration authority."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from est_world import CISCO, EstWorld, est_vault, est_world
from vault_server import SetUpVault

from heiiki.pki.server.policies import REGISTRAR_LOGIN


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    with est_vault(tmp_path_factory.mktemp("est-spoilt")) as made:
        yield made


@pytest.fixture
def impatient(spoilt: SetUpVault, tmp_path: Path) -> Iterator[EstWorld]:
    with est_world(spoilt, tmp_path, vault={"answer_s": 1}) as made:
        yield made


def test_a_sealed_server_is_waited_for_by_the_device(spoilt: SetUpVault, tmp_path: Path) -> None:
    with est_world(spoilt, tmp_path) as world:
        device, secret, before = world.device(CISCO), world.secret(CISCO), world.issued(CISCO)
        spoilt.running.root.write("sys/seal", {})
        try:
            found = world.enrol(device, secret)
        finally:
            unsealed = spoilt.running.session()
            unsealed.write("sys/unseal", {"key": spoilt.running.keys[0]})
            unsealed.await_active()
        assert (found.status, found.headers["retry-after"]) == (503, "30")
        assert found.text == "the CA does not answer; come again later\n"
        assert "Vault is sealed or not ready" in world.log
        assert world.enrol(device, secret).status == 200
        assert world.issued(CISCO) == before + 1


def test_a_server_that_hangs_holds_up_no_device_for_long(impatient: EstWorld, spoilt: SetUpVault) -> None:
    device, secret, before = impatient.device(CISCO), impatient.secret(CISCO), impatient.issued(CISCO)
    request = device.request()
    spoilt.running.process.send_signal(signal.SIGSTOP)
    try:
        found = impatient.enrol(device, secret, request)
        assert (found.status, found.headers["retry-after"]) == (503, "30")
        assert found.text == (
            "the CA has not answered in time; send the same request again, it is answered once\n"
        )
        # What needs no CA is answered meanwhile.
        assert impatient.ask("GET", "cacerts").status == 200
    finally:
        spoilt.running.process.send_signal(signal.SIGCONT)
    answers = [impatient.enrol(device, secret, request)]
    while answers[-1].status == 503:
        answers.append(impatient.enrol(device, secret, request))
    assert answers[-1].status == 200
    assert impatient.issued(CISCO) == before + 1


def test_a_log_in_that_the_server_does_not_know(spoilt: SetUpVault, tmp_path: Path) -> None:
    with est_world(spoilt, tmp_path) as world:
        spoilt.running.root.delete(REGISTRAR_LOGIN)
        device, secret = world.device(CISCO), world.secret(CISCO)
        assert world.enrol(device, secret).status == 503
        assert "auth/cert/login: status 400" in world.log
        assert [world.admit(), world.admit()] == [True, False]
        assert world.enrol(device, secret).status == 200
