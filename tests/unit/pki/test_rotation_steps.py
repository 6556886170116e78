"""The replacement of a CA, step by step against a real server and devices that say what a test wants."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from vault_server import SetUpVault, set_up_vault, unsealed_vault

from heiiki.errors import RotationError, VaultError, VaultFault
from heiiki.pki import authorities as ca
from heiiki.pki import rotation
from heiiki.pki.device_program import Status, credentials_status
from heiiki.pki.enrol import facts, fingerprint
from heiiki.pki.rotation import Kind, Rotation, State, Step
from heiiki.pki.server.connection import Vault
from heiiki.plan.model import Plan
from heiiki.verify.fleet import Answer


@pytest.fixture
def own(lab_plan: Plan, tmp_path: Path) -> Iterator[SetUpVault]:
    with unsealed_vault(tmp_path) as running, set_up_vault(running, lab_plan, tmp_path / "state") as made:
        yield made


class Devices:
    """Every device of the plan, and what it has: changed by `anchors`, `renew` and by pulling."""

    def __init__(self, made: SetUpVault) -> None:
        self._made = made
        self.pulled: list[str] = []
        self.away: set[str] = set()
        self.deaf: set[str] = set()
        self.certificates: dict[str, str] = {}
        self.trusted: dict[str, list[str]] = {}
        self.lists: dict[str, list[str]] = {}
        self.names = [one.name for one in made.plan.managed() if one.identity]
        self.anchors()
        self.renew()
        self.pull()

    def anchors(self, *but: str) -> None:
        found = facts(self._made.running.session(), self._made.plan)["anchors"]
        self.trusted |= {name: [fingerprint(pem) for pem in found] for name in self.names if name not in but}

    def renew(self, *but: str) -> None:
        found = facts(self._made.running.session(), self._made.plan)["issuer_sha256"]
        self.certificates |= {name: found for name in self.names if name not in but}

    def pull(self, *but: str) -> None:
        trust, vault = self._made.trust, self._made.running.root
        found = [
            one.certificate.subject.rfc4514_string()
            for mount in (trust.issuing_mount, trust.root_mount)
            for one in ca.authorities(vault, mount)
            if one.key
        ]
        self.lists |= {name: found for name in self.names if name not in but}

    def fetch_crls(self, names: list[str]) -> None:
        self.pulled = sorted(names)
        self.pull(*self.away, *self.deaf)

    def statuses(self, names: list[str]) -> dict[str, Status]:
        return {name: credentials_status(self._told(name)) for name in names}

    def _told(self, name: str) -> Answer:
        if name in self.away:
            return Answer(name, {}, f"{name}: no connection", b"")
        status = {
            "certificate": {"issuer_sha256": self.certificates[name], "issuer": "CN=some CA"},
            "anchors": [{"sha256": one, "subject": f"CN={one[:6]}"} for one in self.trusted[name]],
            "crls": [{"issuer": one} for one in self.lists[name]],
            "problems": [],
            "loaded": True,
        }
        return Answer(name, {"commands": {"status": {"rc": 0, "out": json.dumps(status)}}}, "", b"")


@pytest.fixture
def devices(own: SetUpVault) -> Devices:
    return Devices(own)


def way(own: SetUpVault, devices: Devices, kind: Kind, **more: bool) -> Rotation:
    return Rotation(own.plan, own.access, devices, kind, **more)


def names(own: SetUpVault) -> list[str]:
    state = State.read(own.running.root, own.trust)
    return [f"{one.name}{'*' if one.current else ''}" for one in (*state.roots, *state.issuing)]


def test_the_issuing_ca_from_one_end_to_the_other(own: SetUpVault, devices: Devices, tmp_path: Path) -> None:
    turn = way(own, devices, Kind.ISSUING)
    begun = turn.take(Step.BEGIN)
    assert [change[0] for change in begun.changes] == ["issuing-2"]
    assert begun.phase == "1 of 3: the new issuing CA signs"
    assert names(own) == ["root-1*", "issuing-1", "issuing-2*"]
    assert devices.pulled == sorted(one.name for one in own.plan.managed() if one.crl_source)
    rotation.keep(tmp_path, own.plan, Step.BEGIN, begun)
    assert turn.take(Step.BEGIN).changes == (), "it goes on with what was begun"
    with pytest.raises(RotationError) as caught:
        turn.take(Step.RETIRE)
    count = len(devices.names)
    assert str(caught.value).startswith(
        f"{count} of {count} devices are not known to use a certificate of issuing-2, so issuing-1 is not "
        "withdrawn: a-pe1 has one of CN=some CA; "
    )
    assert str(caught.value).endswith(
        "then run rotate.yml -e heiiki_authority=issuing again: it goes on from here"
    )
    devices.renew("dras")
    with pytest.raises(RotationError, match=rf"^1 of {count} devices .*: dras has one of CN=some CA\. Mend"):
        turn.take(Step.RETIRE)
    devices.renew()
    devices.away = {"umeda-gw-b"}
    with pytest.raises(RotationError, match="umeda-gw-b does not answer: umeda-gw-b: no connection"):
        turn.take(Step.RETIRE)
    assert names(own) == ["root-1*", "issuing-1", "issuing-2*"]
    devices.away = set()
    gone = turn.take(Step.RETIRE)
    assert [change[0] for change in gone.changes] == ["issuing-1"]
    rotation.keep(tmp_path, own.plan, Step.RETIRE, gone)
    ended = turn.take(Step.FINISH)
    assert set(ended.seen.values()) == {"knows none"}
    path = rotation.keep(tmp_path, own.plan, Step.FINISH, ended)
    assert path == tmp_path / "rotation/issuing-2.json"
    document = json.loads(path.read_text())
    assert ([step["step"] for step in document["steps"]], document["over"]) == (
        ["begin", "retire", "finish"],
        True,
    )
    assert document["steps"][1]["devices"]["dras"] == "uses it"
    again = turn.take(Step.BEGIN)
    assert (again.changes, names(own)) == ((), ["root-1*", "issuing-2*"])
    assert again.phase.startswith("over: CN=Heiiki lab issuing CA 2 took the other's place on 20")
    assert rotation.keep(tmp_path, own.plan, Step.BEGIN, again) is None
    assert way(own, devices, Kind.ISSUING, again=True).take(Step.BEGIN).changes[0][0] == "issuing-3"
    assert own.problems() == ()


def test_the_root_from_one_end_to_the_other(own: SetUpVault, devices: Devices) -> None:
    turn = way(own, devices, Kind.ROOT)
    assert turn.take(Step.BEGIN).changes[0][0] == "root-2"
    assert names(own) == ["root-1", "root-2*", "issuing-1*"]
    with pytest.raises(
        RotationError, match=r"rotation of the root CA is in progress: .*-e heiiki_authority=root$"
    ):
        way(own, devices, Kind.ISSUING).take(Step.BEGIN)
    devices.anchors("xmpp")
    with pytest.raises(RotationError, match=r"known to trust root-2.*: xmpp does not trust it yet\. Mend"):
        turn.take(Step.SIGN)
    devices.anchors()
    signed = turn.take(Step.SIGN)
    assert signed.changes[0][0] == "issuing-2"
    assert turn.take(Step.SIGN).changes == ()
    assert turn.take(Step.BEGIN).changes == ()
    devices.renew()
    gone = turn.take(Step.RETIRE)
    assert {change[0] for change in gone.changes} == {"issuing-1", "root-1"}
    with pytest.raises(RotationError, match=r"known to have forgotten .*: a-pe1 still knows CN="):
        turn.take(Step.FINISH)
    devices.anchors()
    assert turn.take(Step.FINISH).phase.startswith("4 of 4")
    assert names(own) == ["root-2*", "issuing-2*"]
    assert own.problems() == ()


def test_nobody_is_renewed_before_every_verifier_that_answers_has_the_new_list(
    own: SetUpVault, devices: Devices
) -> None:
    devices.deaf, devices.away = {"hub-ce-a"}, {"namba-gw"}
    turn = way(own, devices, Kind.ISSUING)
    with pytest.raises(RotationError, match=r"hub-ce-a has no such list\. Mend"):
        turn.take(Step.BEGIN)
    devices.deaf = set()
    done = turn.take(Step.BEGIN)
    assert done.changes == ()
    assert done.warnings == (
        "namba-gw does not answer: namba-gw: no connection: it fetches the new list when it is back",
    )
    assert names(own) == ["root-1*", "issuing-1", "issuing-2*"]


def test_check_mode_tells_and_changes_nothing(own: SetUpVault, devices: Devices) -> None:
    look = way(own, devices, Kind.ROOT, check=True)
    done = look.take(Step.BEGIN)
    assert done.changes == (("root CA", "CN=Heiiki lab root CA 1\n", "a new root CA\n"),)
    assert [look.take(step).changes for step in (Step.SIGN, Step.RETIRE, Step.FINISH)] == [(), (), ()]
    assert names(own) == ["root-1*", "issuing-1*"]
    assert devices.pulled == []
    way(own, devices, Kind.ISSUING).take(Step.BEGIN)
    seen = way(own, devices, Kind.ISSUING, check=True).take(Step.RETIRE).seen
    assert set(seen.values()) == {"has one of CN=some CA"}
    assert names(own) == ["root-1*", "issuing-1", "issuing-2*"]


def test_a_revoked_device_is_not_waited_for(own: SetUpVault, devices: Devices) -> None:
    out = tuple(replace(one, revoked="stolen") if one.name == "namba-gw" else one for one in own.plan.devices)
    turn = replace(way(own, devices, Kind.ISSUING), plan=replace(own.plan, devices=out))
    devices.away = {"namba-gw"}
    turn.take(Step.BEGIN)
    assert "namba-gw" not in devices.pulled
    devices.renew()
    assert "namba-gw" not in turn.take(Step.RETIRE).seen


def test_the_ca_of_a_year_ago_is_replaced_without_again(own: SetUpVault, devices: Devices) -> None:
    way(own, devices, Kind.ISSUING).take(Step.BEGIN)
    state = State.read(own.running.root, own.trust)
    now = datetime.now(UTC)
    assert state.over(Kind.ISSUING, now)
    assert not state.over(Kind.ISSUING, now + timedelta(days=2))
    assert not state.over(Kind.ROOT, now), "the first replaced none"


class Dying:
    """A server that dies at the Nth change."""

    def __init__(self, patched: pytest.MonkeyPatch) -> None:
        self.left = 10**9
        write, delete = Vault.write, Vault.delete

        def counted(act: Callable[..., Any]) -> Callable[..., Any]:
            def call(vault: Vault, path: str, *arguments: Any, **more: Any) -> Any:
                if path.startswith("pki-"):
                    self.left -= 1
                    if self.left < 0:
                        raise VaultError(f"no answer to {path}", VaultFault.UNREACHABLE)
                return act(vault, path, *arguments, **more)

            return call

        patched.setattr(Vault, "write", counted(write))
        patched.setattr(Vault, "delete", counted(delete))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_server_that_dies_at_any_change(
    own: SetUpVault, devices: Devices, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands then serves: one CA of each kind signs; the next run brings the rotation to its end."""
    dying = Dying(monkeypatch)
    after, cut = 0, True
    while cut:
        cut = False
        turn = way(own, devices, kind, again=True)
        began = names(own)
        for step in Step:
            dying.left = after
            try:
                turn.take(step)
            except VaultError:
                cut = True
                assert sum(name.startswith("root") and name.endswith("*") for name in names(own)) == 1
                assert sum(name.startswith("issuing") and name.endswith("*") for name in names(own)) == 1
                dying.left = 10**9
                turn.take(step)
            dying.left = 10**9
            devices.anchors()
            devices.renew()
        now = names(own)
        assert len(now) == 2
        assert now != began, "the rotation was brought to its end"
        assert len(own.running.root.names("pki-issuing/keys")) == 1
        assert own.problems() == ()
        after += 2 if kind is Kind.ISSUING else 3  # every second or third: a rotation takes its time
    assert after > 5
