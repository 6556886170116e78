"""What the registration authority's log-in may do at a real server: certify its devices, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from est_world import CISCO, ESP, EstWorld, est_vault, est_world, plan
from vault_calls import (
    CALLS,
    DENIED,
    DESCRIBE_CERTIFICATES,
    LIST_CERTIFICATES,
    LIST_REVOKED,
    READ_ROLE,
    Call,
    fault,
)
from vault_server import make_request

from heiiki.pki.issue import signing_call
from heiiki.pki.server.bootstrap import apply
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.policies import REGISTRAR, REGISTRAR_LOGIN
from heiiki_agent import config
from heiiki_agent.est.authority import Authority
from heiiki_agent.est.log_in import LogIns
from heiiki_agent.est.settings import Settings

ALLOWED = (READ_ROLE, DESCRIBE_CERTIFICATES, LIST_CERTIFICATES, LIST_REVOKED)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EstWorld]:
    folder = tmp_path_factory.mktemp("registrar")
    with est_vault(folder) as made, est_world(made, folder) as world:
        yield world


@pytest.fixture
def session(world: EstWorld) -> Vault:
    """Log in as the program does."""
    settings = config.read(Settings, world.config)
    log_ins = LogIns(settings.log_in, settings.host)
    with Authority(settings.vault, settings.credentials.trust, log_ins).session() as session:
        return world.vault.running.session(session.token)


@pytest.mark.parametrize("call", [call for call in CALLS if call not in ALLOWED], ids=str)
def test_it_does_nothing_but_certify(session: Vault, call: Call) -> None:
    assert fault(lambda: call(session)) in DENIED


@pytest.mark.parametrize("device", [CISCO, ESP])
def test_it_certifies_its_devices_under_the_plans_names(world: EstWorld, session: Vault, device: str) -> None:
    identity = world.vault.identity(device)
    path, names = signing_call(world.vault.trust, identity)
    csr = make_request(identity)
    assert fault(lambda: session.write(path, {**names, "csr": csr})) is None
    for spoilt in ({"alt_names": "dras.lab.internal"}, {"common_name": "x"}, {"ip_sans": "10.0.0.1"}):
        assert fault(lambda spoilt=spoilt: session.write(path, {**names, "csr": csr, **spoilt})) in DENIED  # type: ignore[misc]


@pytest.mark.parametrize("device", ["dras", "umeda-ce-a", "vault", "operator", "xmpp"])
def test_it_certifies_nobody_else(world: EstWorld, session: Vault, device: str) -> None:
    identity = world.vault.identity(device)
    path, names = signing_call(world.vault.trust, identity)
    assert fault(lambda: session.write(path, {**names, "csr": make_request(identity)})) in DENIED


def test_a_service_without_it_loses_log_in_and_policy(world: EstWorld) -> None:
    vault = world.vault
    without = plan()
    without = replace(without, pki=replace(without.pki, registrar=None))
    apply(vault.access, without, unsealing=True)
    assert vault.running.root.read(f"sys/policies/acl/{REGISTRAR}") is None
    assert "cert/" not in (vault.running.root.read("sys/auth") or {})
    assert apply(vault.access, without, unsealing=True) == ()
    apply(vault.access, vault.plan, unsealing=True)
    assert vault.running.root.read(REGISTRAR_LOGIN) is None
    assert world.admit()


@pytest.mark.parametrize(
    "spoilt",
    [
        {"token_ttl": 86400, "token_max_ttl": 86400},
        {"token_bound_cidrs": ""},
        {"token_policies": "registrar,enroller"},
        {"allowed_dns_sans": ""},
        {"allowed_common_names": "*"},
    ],
    ids=str,
)
def test_a_log_in_that_was_loosened_is_noticed_and_put_right(
    world: EstWorld, spoilt: dict[str, object]
) -> None:
    vault = world.vault
    assert vault.problems() == ()
    stands = vault.running.root.read(REGISTRAR_LOGIN) or {}
    vault.running.root.write(REGISTRAR_LOGIN, {**stands, **spoilt})
    (found,) = vault.problems()
    assert found.startswith(REGISTRAR_LOGIN)
    if "allowed_common_names" in spoilt:
        vault.running.root.write(REGISTRAR_LOGIN, {**stands, "allowed_common_names": ""})
    else:
        assert apply(vault.access, vault.plan)
    assert vault.problems() == ()
