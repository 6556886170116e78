"""Sessions: whom they trust, and what they say when something is in the way."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from vault_server import HOST, RunningVault, make_tls, running_vault, unsealed_vault

from heiiki.errors import LabError, VaultError, VaultFault
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.pinned import Server

STEP = "renewing umeda-gw-b"


def message(vault: Vault, path: str = "sys/mounts") -> tuple[str, VaultFault]:
    with pytest.raises(VaultError) as caught:
        vault.for_step(STEP).read(path)
    return str(caught.value), caught.value.fault


def needs(server: Server, rest: str) -> str:
    return f"{STEP} needs the Vault server at {server.url} ({server.host}), which {rest}"


@pytest.fixture
def silent() -> Iterator[Server]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Server(f"https://127.0.0.1:{listener.getsockname()[1]}", HOST, "")


def test_health_needs_no_token(vault_server: RunningVault) -> None:
    health = vault_server.session().health()
    assert (health.initialised, health.sealed, health.threshold) == (True, False, 1)


def test_a_connector_gives_the_stream_and_the_name_is_still_checked(vault_server: RunningVault) -> None:
    port = int(vault_server.server.url.rpartition(":")[2])
    opened = []

    def connect() -> socket.socket:
        opened.append(port)
        return socket.create_connection(("127.0.0.1", port))

    elsewhere = Server("https://10.15.0.6:8200", HOST, vault_server.server.ca_pem, connect)
    assert Vault(elsewhere).health().initialised
    wrong = Server("https://10.15.0.6:8200", "vault.other.internal", vault_server.server.ca_pem, connect)
    assert message(Vault(wrong))[1] is VaultFault.TLS
    assert opened


def test_a_connector_that_fails_is_told_in_its_words(vault_server: RunningVault) -> None:
    def connect() -> socket.socket:
        raise LabError("vault: nothing listens at 10.15.0.6:8200")

    server = Server("https://10.15.0.6:8200", HOST, vault_server.server.ca_pem, connect)
    assert message(Vault(server)) == (
        needs(
            server,
            "cannot be reached: vault: nothing listens at 10.15.0.6:8200; see whether the server "
            "runs and VAULT_ADDR, where set, is right; then run this again",
        ),
        VaultFault.UNREACHABLE,
    )


def test_a_closed_port(vault_server: RunningVault) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = Server(f"https://127.0.0.1:{port}", HOST, vault_server.server.ca_pem)
    assert message(Vault(server)) == (
        needs(
            server,
            "cannot be reached: Connection refused; see whether the server runs and VAULT_ADDR, where set, "
            "is right; then run this again",
        ),
        VaultFault.UNREACHABLE,
    )


def test_a_server_that_says_nothing(silent: Server, vault_server: RunningVault) -> None:
    server = Server(silent.url, HOST, vault_server.server.ca_pem)
    said, fault = message(Vault(server, timeouts=(0.2, 0.2)))
    assert (said, fault) == (
        needs(
            server,
            "does not answer within 0.2 s; see whether it is overloaded, then run this again",
        ),
        VaultFault.TIMEOUT,
    )


def test_a_foreign_ca(vault_server: RunningVault, tmp_path: Path) -> None:
    server = Server(vault_server.server.url, HOST, make_tls(tmp_path))
    assert message(Vault(server)) == (
        needs(
            server,
            "shows a certificate that cannot be trusted: self-signed certificate; its certificate must bear "
            f"{HOST} and come from the CA kept for it (VAULT_CACERT, or secret vault/ca); if neither was "
            "changed on purpose, this may be an attack",
        ),
        VaultFault.TLS,
    )


def test_no_public_ca_is_trusted_beside_the_pinned_one(
    vault_server: RunningVault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all.pem").write_text(vault_server.server.ca_pem)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "all.pem"))
    server = Server(vault_server.server.url, HOST, make_tls(tmp_path))
    assert message(Vault(server))[1] is VaultFault.TLS


def test_a_certificate_for_another_name(vault_server: RunningVault) -> None:
    server = Server(vault_server.server.url, "vault.other.internal", vault_server.server.ca_pem)
    said, fault = message(Vault(server))
    assert fault is VaultFault.TLS
    assert "Hostname mismatch, certificate is not valid for 'vault.other.internal'" in said


def test_a_ca_that_is_no_certificate() -> None:
    with pytest.raises(VaultError) as caught:
        Vault(Server("https://127.0.0.1:1", HOST, "nonsense"))
    assert str(caught.value) == (
        f"the CA kept for the Vault server at https://127.0.0.1:1 ({HOST}) is not a PEM certificate: correct "
        "VAULT_CACERT or the secret vault/ca"
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:8200", "127.0.0.1:8200", "https://"])
def test_an_address_without_tls(url: str) -> None:
    with pytest.raises(VaultError) as caught:
        Vault(Server(url, HOST, ""))
    assert str(caught.value) == (
        f"the Vault server's address {url} must be https://HOST:PORT: set VAULT_ADDR so"
    )


def test_a_token_that_the_server_does_not_know(vault_server: RunningVault) -> None:
    said, fault = message(vault_server.session("s." + "A" * 24))
    assert (said, fault) == (
        needs(
            vault_server.server,
            "does not accept the token: it has expired, is used up, was revoked, or was never given out; "
            "log in again; where the credentials of an AppRole are refused, role pki makes new ones with "
            "pki_unseal",
        ),
        VaultFault.TOKEN,
    )


def test_an_expired_token(vault_server: RunningVault) -> None:
    made = vault_server.root.write("auth/token/create", {"policies": ["root"], "ttl": "1h", "num_uses": 1})
    session = vault_server.session(made["auth"]["client_token"])
    session.read("sys/mounts")
    said, fault = message(session)
    assert fault is VaultFault.TOKEN
    assert made["auth"]["client_token"] not in said


def test_what_a_policy_does_not_allow(vault_server: RunningVault) -> None:
    made = vault_server.root.write("auth/token/create", {"policies": ["default"], "ttl": "1h"})
    assert message(vault_server.session(made["auth"]["client_token"])) == (
        needs(
            vault_server.server,
            "does not allow this token sys/mounts; use the AppRole made for the purpose; what only set-up "
            "may do, role pki does with pki_unseal",
        ),
        VaultFault.FORBIDDEN,
    )


def test_a_new_server_and_a_sealed_one(tmp_path: Path) -> None:
    with running_vault(tmp_path) as running:
        assert message(running.session("s.x")) == (
            needs(
                running.server, "is not initialised; run role pki with pki_initialise, once for the service"
            ),
            VaultFault.UNINITIALISED,
        )
        running.session().write("sys/init", {"secret_shares": 1, "secret_threshold": 1})
        assert message(running.session("s.x")) == (
            needs(
                running.server,
                "is sealed; unseal it (`bao operator unseal`, or role pki with pki_unseal) and run this "
                "again: nothing was changed",
            ),
            VaultFault.SEALED,
        )


def test_a_server_that_is_killed_between_two_calls(tmp_path: Path) -> None:
    with unsealed_vault(tmp_path) as running:
        session = running.root
        session.read("sys/mounts")
        running.process.kill()
        running.process.wait()
        assert message(session)[1] is VaultFault.UNREACHABLE


def test_no_token_is_shown(vault_server: RunningVault) -> None:
    session = vault_server.root
    assert vault_server.root_token not in repr(session)
    with pytest.raises(VaultError) as caught:
        session.write("auth/token/lookup", {"token": vault_server.root_token + "x"})
    assert vault_server.root_token not in str(caught.value)


def test_no_token_of_the_surroundings_is_sent(
    vault_server: RunningVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", vault_server.root_token)
    assert message(vault_server.session())[1] is VaultFault.TOKEN


def test_calls_from_several_threads(vault_server: RunningVault) -> None:
    session, seen = vault_server.root, set[int]()

    def work(_: int) -> str:
        seen.add(threading.get_ident())
        return session.health().version

    assert len(set(session.each(work, range(50)))) == 1
    assert len(seen) > 1


def test_the_leader_is_found_when_no_thread_can_be_started_any_more(
    vault_server: RunningVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of the interpreter, when the token of a run of Ansible is revoked."""

    def ended(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", ended)
    away = replace(vault_server.server, url="https://127.0.0.1:1")
    for first, other in ((vault_server.server, away), (away, vault_server.server)):
        vault = Vault(replace(first, others=(other,)), token=vault_server.root_token)
        assert (vault.read("auth/token/lookup-self") or {})["policies"] == ["root"]
        vault.close()
