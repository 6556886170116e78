"""Snapshot and restore on a real server: what was revoked since is refused, or it is not complete."""

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from vault_server import Issued, SetUpVault, set_up_vault, unsealed_vault

from heiiki.errors import FolderError, SnapshotError
from heiiki.pki import marks
from heiiki.pki.register import Register, remember
from heiiki.pki.restore import numbers
from heiiki.pki.revoke import crls, revoke, revoke_device, revoked_since
from heiiki.pki.server.desired import serial_text
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan.model import Plan
from heiiki.service import Renewed, Restored, Service, restore, snapshot, snapshots, what_would_be_restored
from heiiki.verify.fleet import Answer

STOLEN, KEPT = "namba-gw", "sakai-gw-b"


def serial(one: Issued) -> str:
    return serial_text(x509.load_pem_x509_certificate(one.certificate.encode()).serial_number)


class Devices:
    """Devices with the certificates that they were given, and verifiers that take newer lists alone."""

    def __init__(self, server: SetUpVault) -> None:
        self.server = server
        self.held: dict[str, Issued] = {}
        self.loaded: dict[str, int] = {}
        self.refused: set[str] = set()
        self.away: set[str] = set()

    def pull(self) -> bool:
        """Take the server's lists if all are newer than those that are here."""
        vault, trust = self.server.running.session(), self.server.trust
        there = numbers(vault, trust)
        if any(there.get(key, -1) < number for key, number in self.loaded.items()):
            return False
        self.loaded = there
        self.refused = {
            serial_text(item.serial_number) for one in crls(vault, trust) for item in one.complete
        }
        return True

    def ask(
        self, _probe: str, parameters: Mapping[str, Mapping[str, Any]], _timeout: float = 0
    ) -> dict[str, Answer]:
        return {name: self._answer(name, own) for name, own in parameters.items()}

    def _answer(self, name: str, own: Mapping[str, Any]) -> Answer:
        if name in self.away:
            return Answer(name, {}, f"{name}: no connection", b"")
        mine = self.held.get(name)
        status = {
            "refused_serials": sorted(self.refused),
            "crls": [{"authority_key": key, "number": one} for key, one in self.loaded.items()],
            "certificate": {"serial": serial(mine)} if mine else None,
        }
        said = {"status": {"rc": 0, "out": json.dumps(status), "err": ""}}
        return Answer(
            name,
            {
                "commands": said,
                "files": {path: mine.certificate for path in own.get("files", ()) if mine},
            },
            "",
            b"",
        )

    def run(self, programs: Mapping[str, bytes], _timeout: float) -> dict[str, Answer]:
        """Run the program that pulls, and compares what is refused then."""
        found = {}
        for name, text in programs.items():
            taken = name not in self.away and self.pull()
            missing = [one for one in json.loads(_parameters(text))["serials"] if one not in self.refused]
            error = "" if taken and not missing else f"{name}: takes no list, or lacks {missing}"
            found[name] = Answer(name, {"error": error}, "", b"")
        return found


def _parameters(text: bytes) -> str:
    line = text.decode().strip().splitlines()[-1]
    literal: str = eval(line.removeprefix("print(json.dumps(main(json.loads(").removesuffix("))))"))  # noqa: S307
    return literal


class Bench:
    """The worked example on a server of its own, with its devices."""

    def __init__(self, server: SetUpVault, inventory: Path, state: Path) -> None:
        self.server, self.devices = server, Devices(server)
        self.service = Service(inventory, server.plan, state)
        self.artifacts = state / "artifacts"

    def take(self) -> Path:
        return snapshot(self.service, self.artifacts)

    def restore(self, file: Path) -> Restored:
        return restore(self.service, file)

    def revoke(self, device: str, *, remembered: bool = True) -> None:
        """Do at the server what revoke.yml does."""
        trust = self.server.trust
        with logged_in(self.server.access, AppRole.REVOKER) as revoker:
            marks.mark(revoker, self.server.trust, device)
            revoke_device(revoker, trust, self.server.identity(device))
            if remembered:
                remember(revoker, trust, self.service.register)

    def signs(self, device: str) -> bool:
        return marks.signs(self.server.enroller, self.server.trust, self.server.identity(device))

    @property
    def revoked(self) -> set[str]:
        with logged_in(self.server.access, AppRole.AUDITOR) as auditor:
            return set(revoked_since(auditor, self.server.trust))


@contextmanager
def set_up(folder: Path, plan: Plan, inventory: Path) -> Iterator[Bench]:
    with (
        unsealed_vault(folder) as running,
        set_up_vault(running, plan, folder / "state") as server,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        made = Bench(server, inventory, folder / "state")

        @contextmanager
        def fleet(_: Service) -> Iterator[Devices]:
            yield made.devices

        def renew(_: Service, names: Mapping[str, str], **_more: bool) -> tuple[Renewed, ...]:
            for name in names:
                made.devices.held[name] = server.certificate(name)
            return tuple(Renewed(name, changed=True) for name in names)

        monkeypatch.setattr(Service, "vault", lambda *_: server.access)
        monkeypatch.setattr(Service, "fleet", fleet)
        monkeypatch.setattr(snapshots, "renew", renew)
        yield made


@pytest.fixture
def bench(tmp_path: Path, lab_plan: Plan, lab_inventory: Path) -> Iterator[Bench]:
    with set_up(tmp_path, lab_plan, lab_inventory) as made:
        yield made


@pytest.fixture(scope="module")
def unchanged(
    tmp_path_factory: pytest.TempPathFactory, lab_plan: Plan, lab_inventory: Path
) -> Iterator[Bench]:
    """One for tests that change nothing at the server."""
    with set_up(tmp_path_factory.mktemp("bench"), lab_plan, lab_inventory) as made:
        yield made


def test_what_was_revoked_since_is_refused_before_the_restore_is_complete(bench: Bench) -> None:
    before = bench.server.certificate(STOLEN)
    file = bench.take()
    since = bench.server.certificate(STOLEN)
    bench.revoke(STOLEN)
    assert bench.devices.pull()
    seen = dict(bench.devices.loaded)
    assert not bench.signs(STOLEN)
    done = bench.restore(file)
    assert done.incomplete == ()
    assert done.warnings == ()
    assert not bench.signs(STOLEN)
    assert {serial(before), serial(since)} <= bench.revoked
    assert {serial(before), serial(since)} <= bench.devices.refused
    assert all(number > seen[key] for key, number in bench.devices.loaded.items())
    assert bench.server.problems() == ()
    names = [step.name for step in done.steps]
    assert names[:7] == [
        *("snapshot", "CAs", "marks", "certificates", "later ones", "lists"),
        "signatures refused",
    ]
    assert "lists at hub-ce-a" in names
    assert not (bench.service.state.folder / "restore.json").exists()


def test_the_file_is_its_users_alone_and_named_by_time(unchanged: Bench) -> None:
    file = unchanged.take()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.name.startswith("lab-20")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    assert f"{file}: " in what_would_be_restored(unchanged.service, file)


@pytest.mark.parametrize("dead", [False, True])
def test_a_server_that_died_is_restored_from_what_others_know(bench: Bench, dead: bool) -> None:
    file = bench.take()
    since = bench.server.certificate(STOLEN)
    bench.revoke(STOLEN)
    assert bench.devices.pull()
    if dead:  # the server tells nothing, as one whose disk is new
        bench.server.running.root.send("sys/storage/raft/snapshot", file.read_bytes())
    done = bench.restore(file)
    assert done.incomplete == ()
    assert serial(since) in bench.devices.refused


def test_a_certificate_known_by_its_number_alone_keeps_the_lists_back(bench: Bench) -> None:
    file = bench.take()
    since = bench.server.certificate(STOLEN)
    bench.revoke(STOLEN, remembered=False)
    assert bench.devices.pull()
    bench.server.running.root.send("sys/storage/raft/snapshot", file.read_bytes())
    done = bench.restore(file)
    (left,) = done.incomplete
    assert left.name == "certificates"
    assert f"verifiers refuse {serial(since)}, which the snapshot does not know" in left.problem
    assert not bench.devices.pull(), "a verifier would take a list without it"
    assert serial(since) in bench.devices.refused
    # The state of the controller that revoked it has it: the same call goes on.
    bench.service.register.add({serial(since): since.certificate})
    again = bench.restore(file)
    assert again.incomplete == ()
    assert {step.name: step.changed for step in again.steps}["snapshot"] == ()
    assert serial(since) in bench.devices.refused


def test_a_certificate_made_since_is_renewed_and_the_unknown_one_revoked(bench: Bench) -> None:
    file = bench.take()
    unknown = bench.devices.held[KEPT] = bench.server.certificate(KEPT)
    done = bench.restore(file)
    assert done.incomplete == ()
    assert bench.devices.held[KEPT] != unknown
    assert serial(unknown) in bench.revoked
    bench.revoke(KEPT)
    assert {serial(unknown), serial(bench.devices.held[KEPT])} <= bench.revoked


def test_a_device_that_shows_anothers_certificate_has_nothing_revoked(bench: Bench) -> None:
    file = bench.take()
    others = bench.devices.held[KEPT] = bench.server.certificate("hub-ce-a")
    (left,) = bench.restore(file).incomplete
    assert left.problem == f"{KEPT} shows a certificate that is not its own: nothing was revoked for it"
    assert serial(others) not in bench.revoked


@pytest.mark.parametrize("away", [KEPT, "hub-ce-a"])
def test_a_device_that_does_not_answer_leaves_it_incomplete(bench: Bench, away: str) -> None:
    file = bench.take()
    bench.devices.away = {away}
    done = bench.restore(file)
    assert done.incomplete
    assert away in done.incomplete[0].problem
    bench.devices.away = set()
    assert bench.restore(file).incomplete == ()


def test_an_officers_revocation_at_the_server_alone_is_kept(bench: Bench) -> None:
    one = bench.server.certificate(KEPT)
    file = bench.take()
    with logged_in(bench.server.access, AppRole.REVOKER) as revoker:
        revoke(revoker, bench.server.trust, [serial(one)])
    assert bench.restore(file).incomplete == ()
    assert serial(one) in bench.revoked


def test_a_device_reinstated_since_is_named(bench: Bench) -> None:
    bench.revoke(STOLEN)
    file = bench.take()
    with logged_in(bench.server.access, AppRole.CONFIGURATOR) as session:
        marks.lift(session, bench.server.trust, bench.server.identity(STOLEN))
    done = bench.restore(file)
    assert done.incomplete == ()
    assert [one for one in done.warnings if f"{STOLEN} is revoked in the snapshot and was not" in one]


def test_a_snapshot_from_before_a_ca_is_not_settled_with(bench: Bench) -> None:
    file = bench.take()
    bench.devices.loaded = {"aa" * 20: 7}
    (left,) = bench.restore(file).incomplete
    assert left.name == "CAs"
    assert f"verifiers have lists of a CA that the snapshot does not know (key {'aa' * 20})" in left.problem


def test_a_number_that_no_list_can_have_is_refused(bench: Bench) -> None:
    file = bench.take()
    assert bench.devices.pull()
    bench.devices.loaded = dict.fromkeys(bench.devices.loaded, 2**64)
    (left,) = bench.restore(file).incomplete
    assert (left.name, "more than were ever made" in left.problem) == ("lists", True)


def test_a_place_that_others_read_is_refused(unchanged: Bench, tmp_path: Path) -> None:
    def refused(folder: Path) -> str:
        with pytest.raises((SnapshotError, FolderError)) as caught:
            snapshot(unchanged.service, unchanged.artifacts, folder)
        assert not folder.exists()
        return str(caught.value)

    (tmp_path / "checkout/.git").mkdir(parents=True)
    assert "is in the checkout" in refused(tmp_path / "checkout/a/b")
    assert "is in the folder of reports" in refused(unchanged.artifacts / "x")
    assert "is in the folder of the service" in refused(unchanged.service.folder / "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="cannot be written: Not a directory; name another folder"):
        snapshot(unchanged.service, unchanged.artifacts, tmp_path / "file/x")


def test_a_file_that_is_none_changes_nothing(unchanged: Bench, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="cannot be read: No such file or directory"):
        unchanged.restore(tmp_path / "none.snap")
    (tmp_path / "text.snap").write_text("text")
    with pytest.raises(SnapshotError, match="is no whole snapshot of raft storage"):
        unchanged.restore(tmp_path / "text.snap")
    assert not (unchanged.service.state.folder / "restore.json").exists()
    (unchanged.service.state.folder / "restore.json").write_text("{")
    with pytest.raises(SnapshotError, match="what an earlier restore was to complete cannot be read"):
        unchanged.restore(unchanged.take())


def test_the_register_keeps_what_is_good_and_tells_what_is_none(unchanged: Bench) -> None:
    register = Register(unchanged.service.state.folder / "kept")
    one = unchanged.server.certificate(KEPT)
    register.add({serial(one): one.certificate})
    assert register.all() == {serial(one): one.certificate}
    (unchanged.service.state.folder / "kept/00-11.pem").write_text("text")
    with pytest.raises(Exception, match=r"00-11.pem is no certificate"):
        register.all()
