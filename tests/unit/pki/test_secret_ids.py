"""The life of a controller's log-ins on a real server: renewed in time, whatever a run is cut off in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from vault_server import SetUpVault, set_up_vault, unsealed_vault

from heiiki.errors import VaultError
from heiiki.pki.server import secret_ids
from heiiki.pki.server.bootstrap import apply
from heiiki.pki.server.desired import SECRET_ID_S
from heiiki.pki.server.login import Access, can_log_in, role_path
from heiiki.pki.server.policies import AppRole
from heiiki.pki.server.secret_ids import LEAST_S, LogIn, look, renew
from heiiki.plan.model import Plan

REVOKER = AppRole.REVOKER
DAY_S = 86400


@pytest.fixture(scope="module")
def made(lab_plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetUpVault]:
    folder = tmp_path_factory.mktemp("server")
    with unsealed_vault(folder) as running, set_up_vault(running, lab_plan, folder / "state") as server:
        yield server


@pytest.fixture
def way(made: SetUpVault) -> Iterator[Access]:
    """The access, whose log-ins are new and whole before and after each test."""
    yield made.access
    apply(made.access, made.plan, unsealing=True)
    assert renew(made.access) == ()


def kept(way: Access) -> dict[str, str]:
    return way.store.fields(role_path(REVOKER))


def shorten(made: SetUpVault, seconds: int) -> None:
    """Give the controller a log-in as revoker that ends so soon."""
    path = f"auth/approle/role/{REVOKER}"
    secret = made.running.root.write(f"{path}/secret-id", {"ttl": f"{seconds}s"})["data"]["secret_id"]
    made.access.store.write(role_path(REVOKER), {**kept(made.access), "secret_id": secret})


def works(way: Access, secret_id: str) -> bool:
    role_id = kept(way)["role_id"]
    try:
        way.vault.write("auth/approle/login", {"role_id": role_id, "secret_id": secret_id})
    except VaultError:
        return False
    return True


def test_every_log_in_has_an_end_and_nothing_is_wrong_with_a_new_one(way: Access) -> None:
    found = {one.approle: one for one in look(way)}
    assert set(found) == set(AppRole)
    assert all(one.wrong == "" for one in found.values())
    assert all(SECRET_ID_S - 600 < (one.left_s or 0) <= SECRET_ID_S for one in found.values())


def test_one_with_little_life_left_is_told_then_renewed_and_the_old_one_ends(
    made: SetUpVault, way: Access
) -> None:
    shorten(made, LEAST_S - DAY_S)
    before = kept(way)
    [told] = [one.wrong for one in look(way) if one.wrong]
    assert told == "revoker ends in 29 days: run site.yml or renew.yml, which renew it"
    assert [change.path for change in renew(way, check=True)] == [role_path(REVOKER)]
    assert kept(way) == before
    assert [change.path for change in renew(way)] == [role_path(REVOKER)]
    assert set(kept(way)) == {"role_id", "secret_id"}
    assert not works(way, before["secret_id"])
    assert [one.wrong for one in look(way) if one.wrong] == []


def test_role_pki_renews_without_the_unseal_keys(made: SetUpVault, way: Access) -> None:
    shorten(made, DAY_S)
    assert [change.path for change in apply(way, made.plan)] == [role_path(REVOKER)]
    assert apply(way, made.plan) == ()


def test_one_without_an_end_is_told_and_renewed(made: SetUpVault, way: Access) -> None:
    """As it was made before secret ids had a life."""
    role = f"auth/approle/role/{REVOKER}"
    settings = made.running.root.read(role) or {}
    settings.pop("local_secret_ids")
    made.running.root.write(role, {**settings, "secret_id_ttl": 0})
    made.running.root.write("sys/auth/approle/tune", {"max_lease_ttl": "87600h"})
    secret = made.running.root.write(f"{role}/secret-id", {})["data"]["secret_id"]
    way.store.write(role_path(REVOKER), {**kept(way), "secret_id": secret})
    made.running.root.write(role, settings)
    assert [one.wrong for one in look(way) if one.wrong] == [
        "revoker has a secret id without an end: run site.yml or renew.yml, which renew it"
    ]
    assert [change.path for change in renew(way)] == [role_path(REVOKER)]


@pytest.mark.parametrize("step", ["issued", "installed", "destroyed"])
def test_a_run_that_is_cut_off_loses_nothing(
    made: SetUpVault, way: Access, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """After the new one was made, kept, or has replaced the old one: the next run completes it."""
    shorten(made, DAY_S)
    before = kept(way)["secret_id"]
    with monkeypatch.context() as cut:
        if step == "issued":
            cut.setattr(type(way.store), "write", killed)
        elif step == "installed":
            cut.setattr(secret_ids, "_destroy_former", killed_at(2))
        else:
            cut.setattr(type(way.store), "write", killed_at(2, type(way.store).write))
        with pytest.raises(KeyboardInterrupt):
            renew(way)
    assert can_log_in(way, REVOKER)
    renew(way)
    assert set(kept(way)) == {"role_id", "secret_id"}
    assert not works(way, before)
    assert [one.wrong for one in look(way) if one.wrong] == []


def killed(*_: object) -> None:
    """End the run here."""
    raise KeyboardInterrupt


def killed_at(call: int, before: object = None) -> object:
    """Return what ends the run at the call of that number, and does `before` at those before."""
    count = 0

    def step(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count == call:
            raise KeyboardInterrupt
        if callable(before):
            before(*arguments)

    return step


def test_one_that_has_ended_is_named_with_the_step_that_brings_it_back(made: SetUpVault, way: Access) -> None:
    """As after a controller was switched off for longer than the life: it renews nothing by itself."""
    way.store.write(role_path(REVOKER), {**kept(way), "secret_id": "ended"})
    assert renew(way) == ()
    [told] = [one.wrong for one in look(way) if one.wrong]
    assert "they have ended, were destroyed, or work from other addresses only" in told
    assert "run role pki with pki_unseal, which makes new ones" in told
    apply(way, made.plan, unsealing=True)
    assert [one.wrong for one in look(way) if one.wrong] == []


def test_what_the_environment_gives_is_looked_at_and_not_renewed(made: SetUpVault, way: Access) -> None:
    path = f"auth/approle/role/{REVOKER}"
    secret = made.running.root.write(f"{path}/secret-id", {"ttl": f"{DAY_S}s"})["data"]["secret_id"]
    given = {"HEIIKI_VAULT_REVOKER_ROLE_ID": kept(way)["role_id"], "HEIIKI_VAULT_REVOKER_SECRET_ID": secret}
    outside = replace(way, environment={**way.environment, **given})
    [told] = [one.wrong for one in look(outside) if one.wrong]
    assert told == (
        "revoker ends in 1 days: have its keeper make a new one (`bao write -force "
        "auth/approle/role/revoker/secret-id`)"
    )
    assert renew(outside) == ()


def test_the_life_left_decides() -> None:
    assert LogIn(REVOKER, LEAST_S).wrong == ""
    assert LogIn(REVOKER, LEAST_S - 1).wrong != ""
    assert secret_ids.RENEWED_S > LEAST_S
