"""The mark of a revoked device at the server: what it ends, who may make it, and who lifts it."""

import pytest
from vault_server import SetUpVault, make_request

from heiiki.errors import CertificateError, VaultError, VaultFault
from heiiki.intent import load
from heiiki.intent.revoked import marked
from heiiki.pki import enrol, marks
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.revoke import revoke, revoke_device
from heiiki.pki.server import roles
from heiiki.pki.server.connection import Vault
from heiiki.pki.server.desired import role_settings
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import FORMER_MARK, AppRole
from heiiki.pki.server.reconcile import ensure
from heiiki.plan import build

DEVICE = "sakai-gw-b"


def bar(made: SetUpVault) -> None:
    with logged_in(made.access, AppRole.REVOKER) as revoker:
        marks.mark(revoker, made.trust, DEVICE)


def lift(made: SetUpVault) -> None:
    with logged_in(made.access, AppRole.CONFIGURATOR) as configurator:
        marks.lift(configurator, made.trust, made.identity(DEVICE))


def opened(made: SetUpVault) -> Vault:
    """A session as the device has it when it has opened its token."""
    wrapped = mint(made.enroller, made.identity(DEVICE))
    answer = made.running.session(wrapped.token).write("sys/wrapping/unwrap", {})
    return made.running.session(answer["auth"]["client_token"])


def sign(made: SetUpVault, session: Vault) -> VaultFault | None:
    """Have a certificate of the device signed; returns why that failed."""
    path, names = signing_call(made.trust, made.identity(DEVICE))
    try:
        session.write(path, {**names, "csr": make_request(made.identity(DEVICE))})
    except VaultError as error:
        return error.fault
    return None


def test_a_token_that_the_device_opened_just_before_signs_nothing_after(lab_vault: SetUpVault) -> None:
    held, travelling = opened(lab_vault), mint(lab_vault.enroller, lab_vault.identity(DEVICE))
    bar(lab_vault)
    bar(lab_vault)
    assert sign(lab_vault, held) is VaultFault.TOKEN
    lift(lab_vault)
    # Nor when the mark is lifted: it ended.
    assert sign(lab_vault, held) is VaultFault.TOKEN
    with pytest.raises(VaultError, match="wrapping token is not valid or does not exist"):
        lab_vault.running.session(travelling.token).write("sys/wrapping/unwrap", {})
    assert sign(lab_vault, opened(lab_vault)) is None


def test_a_token_that_is_made_although_it_is_marked_signs_nothing(lab_vault: SetUpVault) -> None:
    """By a program that does not look at the mark."""
    bar(lab_vault)
    identity = lab_vault.identity(DEVICE)
    assert sign(lab_vault, opened(lab_vault)) is VaultFault.REJECTED
    assert not marks.signs(lab_vault.enroller, lab_vault.trust, identity)
    lift(lab_vault)
    assert marks.signs(lab_vault.enroller, lab_vault.trust, identity)


def test_role_pki_of_a_checkout_without_the_mark_leaves_it(lab_vault: SetUpVault) -> None:
    bar(lab_vault)
    assert ensure(lab_vault.running.root, lab_vault.plan) == ()
    shared = {**enrol.planned(lab_vault.plan), **enrol.facts(lab_vault.running.session(), lab_vault.plan)}
    with pytest.raises(CertificateError) as caught:
        enrol.order(lab_vault.enroller, shared, DEVICE, make_request(lab_vault.identity(DEVICE)))
    assert str(caught.value) == (
        f"{DEVICE} is revoked at the Vault server; only enrol.yml -e heiiki_device={DEVICE} lifts it"
    )
    lift(lab_vault)
    assert ensure(lab_vault.running.root, lab_vault.plan) == ()


def test_role_pki_of_a_checkout_with_the_mark_makes_it(lab_vault: SetUpVault, lab_inventory: object) -> None:
    without = build(marked(load(lab_inventory), DEVICE, "stolen", None))  # type: ignore[arg-type]
    path = roles.role_path(without.pki, DEVICE)
    values = {setting.path: setting.values for setting in role_settings(without)}[path]
    assert values == roles.revoked_role(without.pki)
    (change,) = ensure(lab_vault.running.root, without)
    assert change.path == path
    assert sign(lab_vault, opened(lab_vault)) is VaultFault.REJECTED
    lift(lab_vault)


def test_a_device_counts_as_revoked_by_its_newest_certificate(lab_vault: SetUpVault) -> None:
    """Whoever revoked it, in whatever way; one that was replaced and then revoked does not bar it."""

    def barred() -> str:
        return enrol.refusal(enrol.revoked(lab_vault.enroller, lab_vault.plan), DEVICE, None)

    lab_vault.certificate(DEVICE)
    assert barred() == ""
    with logged_in(lab_vault.access, AppRole.REVOKER) as revoker:
        first = revoke_device(revoker, lab_vault.trust, lab_vault.identity(DEVICE))
        told = barred()
        assert told.startswith(f"{DEVICE} is revoked at the CA on 20")
        assert told.endswith(f"; only enrol.yml -e heiiki_device={DEVICE} lifts it")
        lab_vault.certificate(DEVICE)
        assert barred() == ""
        revoke(revoker, lab_vault.trust, first.serials)
    assert barred() == ""


def test_tokens_of_other_devices_live_on_when_one_is_marked(lab_vault: SetUpVault) -> None:
    other = lab_vault.identity("sakai-bems")
    travelling = mint(lab_vault.enroller, other)
    bar(lab_vault)
    answer = lab_vault.running.session(travelling.token).write("sys/wrapping/unwrap", {})
    path, names = signing_call(lab_vault.trust, other)
    session = lab_vault.running.session(answer["auth"]["client_token"])
    assert session.write(path, {**names, "csr": make_request(other)})["data"]["certificate"]
    lift(lab_vault)


def test_a_mark_of_the_former_kind_is_taken_over(lab_vault: SetUpVault) -> None:
    """A server that was set up before a role was the mark; without its mark a device would be let in."""
    root = lab_vault.running.root
    for name, text in ((DEVICE, FORMER_MARK), ("umeda-gw-b", 'path "x" { capabilities = ["read"] }')):
        root.write(f"sys/policies/acl/device-{name}", {"policy": text})
    changed = {change.path for change in ensure(root, lab_vault.plan)}
    assert changed == {
        roles.role_path(lab_vault.trust, DEVICE),
        f"sys/policies/acl/device-{DEVICE}",
        "sys/policies/acl/device-umeda-gw-b",
    }
    assert marks.is_marked(root, lab_vault.trust, DEVICE)
    assert not marks.is_marked(root, lab_vault.trust, "umeda-gw-b")
    assert ensure(root, lab_vault.plan) == ()
    lift(lab_vault)


def test_the_mark_of_a_device_outlives_its_site(lab_vault: SetUpVault) -> None:
    """The plan has no such device any more; its certificates may still be in a thief's hands."""
    root, path = lab_vault.running.root, roles.role_path(lab_vault.trust, "gone-gw-b")
    root.write(path, roles.sent(roles.revoked_role(lab_vault.trust)))
    assert ensure(root, lab_vault.plan) == ()
    root.write(path, roles.sent({**roles.revoked_role(lab_vault.trust), "allowed_domains": ["gone-gw-b"]}))
    assert [change.path for change in ensure(root, lab_vault.plan)] == [path]
    assert root.read(path) is None
