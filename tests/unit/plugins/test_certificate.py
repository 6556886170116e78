"""certificate: why one is issued, what check mode and diff show, and the whole way against a real server."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.heiiki.network.plugins.action.certificate import ActionModule
from ansible_collections.heiiki.network.plugins.module_utils import device_certificate
from ansible_collections.heiiki.network.plugins.module_utils.certificate_assessment import (
    assess,
    diff,
    lines,
)
from ansible_collections.heiiki.network.plugins.module_utils.device_certificate import (
    DeviceError,
    Program,
    reasons,
)
from ansible_collections.heiiki.network.plugins.modules import certificate
from ansible_collections.heiiki.network.plugins.modules.certificate import install
from ansible_collections.heiiki.network.plugins.plugin_utils import _heiiki, enrolment
from fake_vault import Authority
from vault_server import RunningVault, make_tls, unsealed_vault

from heiiki import intent
from heiiki.errors import CertificateError
from heiiki.pki import enrol, marks, revoke
from heiiki.pki.server import reconcile as pki
from heiiki.plan import Plan, build
from heiiki.render import agent
from heiiki.render.credentials import settings
from heiiki.state import FileSecrets
from heiiki_agent.pki.names import Names
from heiiki_agent.pki.x509 import new_key

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"
DEVICE = "umeda-bems"
NAMES = {"dns": ["a.b"], "addresses": [], "uris": ["urn:x:y:z"], "jids": []}
FOUND: dict[str, Any] = {
    "serial": "01:02",
    "issuer": "CN=Issuing 1",
    "issuer_sha256": "aa",
    "not_before": "2026-11-01T00:00:00Z",
    "not_after": "2026-12-01T00:00:00Z",
    "share_used": 0.1,
    "days_left": 27.0,
    "names": NAMES,
}
STATUS: dict[str, Any] = {
    "certificate": FOUND,
    "wanted": NAMES,
    "problems": [],
    "loaded": True,
    "anchors": [],
    "server_anchors": [],
}
WANTED: dict[str, Any] = {
    "device": "d",
    "force": False,
    "request": True,
    "names": NAMES,
    "renew_share": 2 / 3,
    "handed": False,
    "issuer_sha256": "aa",
    "anchors": [],
    "server_anchors": [],
}


def _application(folder: Path) -> str:
    path = folder / "heiiki-agent.pyz"
    path.write_bytes(agent.archive())
    return str(path)


class Recorder:
    """The device's program: answers as told, and remembers what it was asked."""

    def __init__(self, status: dict[str, Any]) -> None:
        self._status = status
        self.asked: list[str] = []

    def __call__(self, command: str, given: object = None) -> dict[str, Any]:
        assert given is None or command in {"anchors", "install", "reach"}
        self.asked.append(command)
        answers = {
            "status": self._status,
            "summary": self._status,
            "request": {"generation": 1, "csr": "PEM"},
        }
        return answers.get(command, {"users": ["swanctl --load-creds"], "told": True, "changed": True})


# --- when one is issued


def test_a_good_certificate_is_left_alone() -> None:
    program = Recorder(STATUS)
    answer = assess(program, WANTED, check=False)
    assert (answer["changed"], answer["reasons"], program.asked) == (False, [], ["status"])


@pytest.mark.parametrize(
    ("status", "wanted", "reason"),
    [
        ({"certificate": None}, {}, "there is no certificate"),
        ({}, {"force": True}, "asked for"),
        (
            {},
            {"names": {**NAMES, "dns": ["n.b"]}},
            "the plan's names are n.b, urn:x:y:z, the certificate's a.b, urn:x:y:z",
        ),
        (
            {"certificate": {**FOUND, "share_used": 0.67}},
            {},
            "67% of its life is gone; it ends 2026-12-01T00:00:00Z",
        ),
        ({}, {"issuer_sha256": "bb"}, "CN=Issuing 1, which issued it, is no longer the issuing CA"),
        ({"problems": ["chain.pem is missing"]}, {}, "chain.pem is missing"),
    ],
)
def test_each_reason_is_told(status: dict[str, Any], wanted: dict[str, Any], reason: str) -> None:
    assert list(reasons(STATUS | status, WANTED | wanted)) == [reason]


@pytest.mark.parametrize(
    ("status", "wanted", "margin"),
    [
        ({"certificate": {**FOUND, "share_used": 0.83}}, {}, True),
        ({"certificate": {**FOUND, "share_used": 0.84}}, {}, False),
        ({"certificate": {**FOUND, "share_used": 0.7}}, {"force": True}, False),
        ({"certificate": {**FOUND, "share_used": 0.7}, "problems": ["chain.pem is missing"]}, {}, False),
        ({"certificate": None}, {}, False),
    ],
)
def test_only_age_leaves_a_margin(status: dict[str, Any], wanted: dict[str, Any], margin: bool) -> None:
    assert assess(Recorder(STATUS | status), WANTED | wanted, check=True)["margin"] is margin


def test_just_before_two_thirds_nothing_happens_and_an_unknown_issuer_is_no_reason() -> None:
    status = STATUS | {"certificate": {**FOUND, "share_used": 0.666}}
    assert list(reasons(status, WANTED | {"issuer_sha256": ""})) == []


def test_check_mode_makes_no_key_and_shows_what_would_come() -> None:
    program = Recorder(STATUS | {"certificate": None})
    answer = assess(program, WANTED, check=True)
    assert (answer["changed"], program.asked) == (True, ["status"])
    (shown,) = answer["diff"]
    assert (shown["before"], shown["after"]) == ("", "serial: (a new one)\ndns: a.b\nuris: urn:x:y:z\n")


def test_a_device_that_does_not_know_its_names_makes_no_key() -> None:
    program = Recorder(STATUS | {"wanted": {**NAMES, "dns": ["old.b"]}, "certificate": None})
    with pytest.raises(
        DeviceError, match=r"^the plan's names are a.b, .* says old.b, .*: apply the device's build"
    ):
        assess(program, WANTED, check=False)
    assert program.asked == ["status"]


def test_users_that_a_run_did_not_tell_are_told_by_the_next() -> None:
    program = Recorder(STATUS | {"loaded": False})
    assert assess(program, WANTED, check=True)["changed"]
    assert program.asked == ["status"]
    answer = assess(program, WANTED, check=False)
    assert (answer["changed"], answer["reloaded"]) == (True, ["swanctl --load-creds"])
    assert program.asked[-1] == "load"


def test_what_the_watch_does_meanwhile_is_no_change_of_a_run() -> None:
    class Watched(Recorder):
        """The watch of a device tells its users of new lists, and was done when this came to it."""

        def __call__(self, command: str, given: object = None) -> dict[str, Any]:
            return {"told": False, "users": []} if command == "load" else super().__call__(command, given)

    answer = assess(Watched(STATUS | {"loaded": False}), WANTED, check=False)
    assert (answer["changed"], answer["reloaded"]) == (False, [])


def test_the_diff_shows_dates_names_and_serial_and_nothing_when_equal() -> None:
    assert lines(FOUND) == (
        "serial: 01:02\nissuer: CN=Issuing 1\nnot before: 2026-11-01T00:00:00Z\n"
        "not after: 2026-12-01T00:00:00Z\ndns: a.b\nuris: urn:x:y:z\n"
    )
    assert diff("d", "x", "x") == []


class Installed(Recorder):
    """A device that verifies peers, and whose CRLs are out of reach."""

    def __call__(self, command: str, given: object = None) -> dict[str, Any]:
        if command == "pull":
            self.asked.append(command)
            raise DeviceError("`credentials pull` failed: no answer")
        return super().__call__(command, given)


def test_crls_are_fetched_at_once_and_are_no_reason_to_fail() -> None:
    status = STATUS | {"pulls": True, "loaded": False, "users": ["swanctl --load-creds"]}
    program = Installed(status)
    answer = install(program, WANTED | {"order": {}, "token": "t"})
    assert program.asked == ["summary", "install", "pull", "summary", "reload"]
    assert answer["warnings"] == [
        "the certificate is installed; CRLs come later: `credentials pull` failed: no answer"
    ]
    assert answer["reloaded"] == ["swanctl --load-creds"]


def test_a_device_without_the_program_is_told_what_to_do(tmp_path: Path) -> None:
    program = Program(str(tmp_path / "none.py"), "/nowhere")
    with pytest.raises(DeviceError, match=r"^there is no /\S+/none.py: apply the device's build first"):
        program("status")
    program = Program(_application(tmp_path), "/nowhere")
    with pytest.raises(DeviceError, match=r"^`credentials status` failed: /nowhere: cannot be read: "):
        program("status")


# --- once a run


def _once(folder: Path, pid: int) -> str:
    def make() -> dict[str, Any]:
        with (folder.parent / "made").open("a") as stream:
            stream.write("x")
        return {"by": os.getpid()}

    return json.dumps(enrolment.shared(folder, "key", make, pid))


def test_all_processes_of_a_run_share_one_log_in(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:  # each opens the lock by itself, as processes do
        answers = list(pool.map(_once, [tmp_path / "run"] * 6, [os.getpid()] * 6))
    assert len(set(answers)) == 1
    assert (tmp_path / "made").read_text() == "x"
    (file,) = (tmp_path / "run").glob("*.json")
    assert file.stat().st_mode & 0o777 == 0o600


def test_what_runs_of_before_have_left_is_removed(tmp_path: Path) -> None:
    for name in ("999999999-5.key", f"{os.getpid()}-1.key"):
        (tmp_path / f"{name}.json").write_text("{}")
    _once(tmp_path, os.getpid())
    assert [path.name for path in tmp_path.glob("*.json")] == [f"{enrolment.run_name(os.getpid())}.key.json"]


# --- the whole way, on a real server


@pytest.fixture(scope="module")
def plan() -> Plan:
    return build(intent.load(EXAMPLE))


@pytest.fixture(scope="module")
def server(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningVault]:
    """A server of its own: these tests seal it and rotate its CAs."""
    with unsealed_vault(tmp_path_factory.mktemp("vault")) as running:
        pki.ensure(running.root, plan)
        yield running


class Action(ActionModule):
    """The action without Ansible around it; the module runs here."""

    def __init__(self, arguments: dict[str, Any], *, check: bool) -> None:
        self._arguments = arguments
        self._task = type("Task", (), {"check_mode": check})()
        self.sent: list[dict[str, Any]] = []

    def validate_argument_spec(self, *_: Any, **__: Any) -> tuple[None, dict[str, Any]]:
        return None, self._arguments

    def _execute_module(self, **call: Any) -> dict[str, Any]:
        arguments = call["module_args"]
        self.sent.append(arguments)
        program = Program(arguments["program"], arguments["config"])
        try:
            if arguments["step"] == "install":
                return install(program, arguments)
            return assess(program, arguments, check=self._task.check_mode)
        except DeviceError as error:
            return {"failed": True, "msg": f"{arguments['device']}: {error}"}


class Fleet:
    """A controller with its state, and one device."""

    def __init__(self, folder: Path, plan: Plan, server: RunningVault) -> None:
        self.folder, self.plan, self.server = folder, plan, server
        self.config = folder / "credentials.json"
        self.number = 0
        self.configure(plan)

    def configure(self, plan: Plan) -> None:
        device = plan.device(DEVICE)
        assert device.identity is not None
        document = settings(plan, device, device.identity) | {
            "folder": str(self.folder / "pki"),
            "users": [["sh", "-c", f"echo told >> {self.folder}/told"]],
        }
        # Of this machine: it has no account of the VEN's, and no way to the plan's addresses.
        apart = {name: part for name, part in document.items() if name not in {"copies", "revocation"}}
        self.config.write_text(json.dumps(apart))

    @property
    def status(self) -> dict[str, Any]:
        return Program(_application(self.folder), str(self.config))("status")

    def run(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        """One run of its own: what the last one shared is forgotten."""
        return self.action(check=check, **more)[0]

    def action(self, *, check: bool = False, **more: Any) -> tuple[dict[str, Any], Action]:
        for path in (self.folder / "run").glob("*.json"):
            path.unlink()
        arguments = {
            "device": DEVICE,
            "service_dir": str(EXAMPLE),
            "secret_state": str(self.folder),
            "force": False,
            "compromised": False,
            "reinstate": False,
            "wait_s": 0,
            "program": _application(self.folder),
            "config": str(self.config),
        }
        action = Action(arguments | more, check=check)
        return action.run(task_vars={"inventory_hostname": DEVICE}), action


@pytest.fixture
def fleet(tmp_path: Path, plan: Plan, server: RunningVault, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    (tmp_path / "ca.pem").write_text(server.server.ca_pem)
    monkeypatch.setenv("VAULT_ADDR", server.server.url)
    monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("VAULT_TOKEN", server.root_token)
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *_: {})
    elsewhere = replace(plan, management=replace(plan.management, kind="ssh"))
    monkeypatch.setattr(_heiiki, "load_plan", lambda _: elsewhere)
    where = {"url": server.server.url, "host": server.server.host, "others": []}
    monkeypatch.setattr(enrol, "_where", lambda *_: where)
    return Fleet(tmp_path, plan, server)


def test_issued_once_then_left_alone_then_renewed_when_asked(fleet: Fleet) -> None:
    would = fleet.run(check=True)
    assert (would["changed"], would["reasons"]) == (True, ["there is no certificate"])
    assert not (fleet.folder / "pki").exists()
    first = fleet.run()
    assert first["changed"]
    assert first["certificate"]["names"]["jids"] == ["umeda-bems@lab.internal"]
    assert first["diff"][0]["after"] == lines(first["certificate"])
    assert (fleet.folder / "told").read_text() == "told\n"
    second, action = fleet.action()
    assert (second["changed"], second["reasons"], len(action.sent)) == (False, [], 1)
    third = fleet.run(force=True)
    assert third["reasons"] == ["asked for"]
    assert third["certificate"]["serial"] != first["certificate"]["serial"]


def test_a_device_that_its_ca_has_revoked_gets_no_other_certificate_until_it_is_reinstated(
    fleet: Fleet, plan: Plan
) -> None:
    """By whomever it was revoked, and whatever the device says that it lacks."""
    first = fleet.run()
    identity = plan.device(DEVICE).identity
    assert identity
    done = revoke.revoke_device(fleet.server.root, plan.pki, identity)
    assert first["certificate"]["serial"] in done.new
    assert not fleet.status["certificate"].get("revoked")
    refused = (
        rf"^{DEVICE} is revoked at the CA on 20\S+Z; only enrol\.yml -e heiiki_device={DEVICE} lifts it$"
    )
    for more in ({"check": True}, {}, {"force": True}):
        with pytest.raises(AnsibleError, match=refused):
            fleet.run(**more)
    shutil.move(fleet.folder / "pki", fleet.folder / "away")
    with pytest.raises(AnsibleError, match=refused):
        fleet.run()
    assert not (fleet.folder / "pki").exists(), "not even a key was made"
    shutil.move(fleet.folder / "away", fleet.folder / "pki")
    would = fleet.run(check=True, reinstate=True)
    assert (would["changed"], would["reasons"]) == (True, ["it takes the place of one that was revoked"])
    second = fleet.run(reinstate=True)
    assert (second["changed"], second["reasons"]) == (True, would["reasons"])
    assert second["certificate"]["serial"] != first["certificate"]["serial"]
    for more in ({}, {"reinstate": True}):
        assert not fleet.run(**more)["changed"]


def test_a_compromised_certificate_is_worth_nothing_once_the_next_is_installed(
    fleet: Fleet, plan: Plan
) -> None:
    first, second = fleet.run(), fleet.run(force=True)
    olds = {one["certificate"]["serial"] for one in (first, second)}
    assert len(list((fleet.folder / "pki/generations").iterdir())) == 2
    assert not olds & set(revoke.revoked_since(fleet.server.root, plan.pki)), "force alone is no remedy"
    would = fleet.run(check=True, compromised=True)
    assert (would["changed"], would["reasons"]) == (True, ["asked for"])
    third = fleet.run(compromised=True)
    assert olds <= set(third["revoked"])
    assert olds <= set(revoke.revoked_since(fleet.server.root, plan.pki))
    assert third["certificate"]["serial"] not in revoke.revoked_since(fleet.server.root, plan.pki)
    (left,) = (fleet.folder / "pki/generations").iterdir()
    assert left.name == str(fleet.status["generation"])
    assert not fleet.run()["changed"]


def test_a_device_that_names_another_certificate_than_it_got_has_none_revoked(
    fleet: Fleet, plan: Plan
) -> None:
    identity = plan.device(DEVICE).identity
    assert identity
    with pytest.raises(CertificateError, match=r"^umeda-bems says that it has the certificate 01:02, which"):
        revoke.revoke_replaced(fleet.server.root, plan.pki, identity, "01:02")


def test_a_device_that_is_marked_at_the_server_gets_none(fleet: Fleet, plan: Plan) -> None:
    """By any checkout: this one's revoked.yml does not have the mark, and role pki leaves it."""
    marks.mark(fleet.server.root, plan.pki, DEVICE)
    assert pki.ensure(fleet.server.root, plan) == ()
    for more in ({}, {"reinstate": True}):
        with pytest.raises(AnsibleError, match=rf"^{DEVICE} is revoked at the Vault server; only enrol\.yml"):
            fleet.run(**more)
    identity = plan.device(DEVICE).identity
    assert identity
    marks.lift(fleet.server.root, plan.pki, identity)
    assert pki.ensure(fleet.server.root, plan) == ()
    assert fleet.run()["changed"]


def test_what_is_sent_is_a_wrapped_token_which_is_in_no_answer(fleet: Fleet) -> None:
    answer, action = fleet.action()
    assess_step, install_step = action.sent
    assert "token" not in assess_step
    token = install_step["token"]
    assert token
    assert token not in json.dumps(answer)
    assert "PRIVATE KEY" not in json.dumps([answer, action.sent])
    assert fleet.server.root_token not in json.dumps([answer, action.sent])
    for path in (path for path in fleet.folder.rglob("*") if path.is_file()):
        assert fleet.server.root_token.encode() not in path.read_bytes(), path
        assert token.encode() not in path.read_bytes(), path


def test_a_log_in_as_enroller_is_enough_and_shared_by_the_run(
    fleet: Fleet, server: RunningVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = "auth/approle/role/enroller"
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("HEIIKI_VAULT_ROLE_ID", (server.root.read(f"{role}/role-id") or {})["role_id"])
    secret = server.root.write(f"{role}/secret-id", {})["data"]["secret_id"]
    monkeypatch.setenv("HEIIKI_VAULT_SECRET_ID", secret)
    logins = server.audit.count('"path":"auth/approle/login"')
    answer, _ = fleet.action()
    assert answer["changed"]
    enrolment.Enrolment(EXAMPLE, fleet.folder)
    # The audit log has a line for the request and one for the answer.
    assert server.audit.count('"path":"auth/approle/login"') == logins + 2


def test_of_two_runs_at_once_the_second_says_so_and_issues_nothing(fleet: Fleet, tmp_path: Path) -> None:
    fleet.run()
    key = hashlib.sha256(str(EXAMPLE.resolve()).encode()).hexdigest()[:12]
    enrolment.shared(tmp_path / "beside", key, dict, os.getpid())
    (held,) = (tmp_path / "beside").glob("*.json")
    held.rename(tmp_path / "run" / held.name)
    arguments = EXAMPLE, fleet.folder
    for path in (tmp_path / "run").glob(f"{enrolment.run_name(os.getppid())}.*.json"):
        path.unlink()
    problem = enrolment.Enrolment(*arguments).problem
    assert problem == (
        f"another run (process {os.getpid()}) issues certificates of this service: let it end, then run again"
    )
    (tmp_path / "run" / held.name).unlink()
    enrolment.forget(fleet.folder / "run")
    assert enrolment.Enrolment(*arguments).problem == ""


def test_a_new_issuing_ca_renews_every_device_and_its_anchors_come_first(fleet: Fleet) -> None:
    fleet.run()
    from heiiki.pki import authorities  # noqa: PLC0415 - only this test rotates

    authorities.rotate_root(fleet.server.root, fleet.plan)
    moved = fleet.run()
    assert (moved["changed"], moved["reasons"]) == (True, [])
    assert len(fleet.status["anchors"]) == 2
    assert not fleet.run()["changed"]
    authorities.rotate_issuing(fleet.server.root, fleet.plan)
    renewed = fleet.run()
    (reason,) = renewed["reasons"]
    assert reason.endswith("which issued it, is no longer the issuing CA")
    assert not fleet.run()["changed"]


def test_a_sealed_server_stops_who_needs_it_and_nobody_else(fleet: Fleet, server: RunningVault) -> None:
    fleet.run()
    files = sorted(path for path in (fleet.folder / "pki").rglob("*"))
    server.root.write("sys/seal", {})
    try:
        left = fleet.run()
        assert (left["changed"], left["reasons"]) == (False, [])
        (warning,) = left["warnings"]
        assert (
            "whether the CA was replaced could not be asked: issuing certificates needs the Vault server"
            in warning
        )
        with pytest.raises(AnsibleError) as caught:
            fleet.run(force=True)
        said = str(caught.value)
        assert said.startswith(
            "umeda-bems needs a certificate: asked for. issuing certificates needs the Vault"
        )
        assert "which is sealed; unseal it" in said
        assert sorted(path for path in (fleet.folder / "pki").rglob("*")) == files
    finally:
        server.session().write("sys/unseal", {"key": server.keys[0]})
        server.session().await_active()
    assert fleet.run(force=True)["changed"]


def test_a_revoked_device_gets_none_and_is_told_why(
    fleet: Fleet, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = tuple(
        replace(device, revoked="stolen, since 2026-11-24") if device.name == DEVICE else device
        for device in plan.devices
    )
    other = replace(plan, devices=devices, management=replace(plan.management, kind="ssh"))
    monkeypatch.setattr(_heiiki, "load_plan", lambda _: other)
    with pytest.raises(
        AnsibleError, match=r"is revoked \(stolen, since 2026-11-24\) and gets no certificate"
    ):
        fleet.run()


def test_while_the_server_is_away_only_who_has_days_left_goes_on(
    fleet: Fleet, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.run()

    def due(share: float) -> None:
        lifetimes = replace(plan.pki.lifetimes, renew_share=share)
        other = replace(
            plan,
            pki=replace(plan.pki, lifetimes=lifetimes),
            management=replace(plan.management, kind="ssh"),
        )
        monkeypatch.setattr(_heiiki, "load_plan", lambda _: other)

    due(0.0)
    with monkeypatch.context() as patched:
        patched.setenv("VAULT_ADDR", "https://127.0.0.1:1")
        waiting = fleet.run()
        assert (waiting["changed"], "diff" in waiting) == (False, False)
        (warning,) = waiting["warnings"]
        assert warning.startswith(
            "umeda-bems: 30.0 days are left, and its certificate cannot be renewed now: "
        )
        assert not fleet.run(check=True)["changed"]
        due(-2.0)
        with pytest.raises(AnsibleError, match=r"umeda-bems needs a certificate: 0% of its life is gone"):
            fleet.run()
    assert fleet.run()["changed"]


def test_a_ca_that_ends_soon_is_warned_of(fleet: Fleet, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not fleet.run().get("warnings")
    longer = replace(plan.pki.lifetimes, certificate_h=plan.pki.lifetimes.issuing_h)
    other = replace(
        plan, pki=replace(plan.pki, lifetimes=longer), management=replace(plan.management, kind="ssh")
    )
    monkeypatch.setattr(_heiiki, "load_plan", lambda _: other)
    (warning,) = fleet.run()["warnings"]
    assert warning.endswith("rotate it (role pki, pki_rotate)")


def test_a_server_that_dies_before_the_signature_is_made_good_by_the_next_run(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fleet.run()["certificate"]["serial"]
    order = enrol.order

    def elsewhere(*arguments: Any) -> tuple[str, dict[str, Any]]:
        token, document = order(*arguments)
        return token, {**document, "url": "https://127.0.0.1:1"}

    with monkeypatch.context() as patched:
        patched.setattr(enrol, "order", elsewhere)
        failed = fleet.run(force=True)
    assert failed["failed"]
    assert "no answer to POST sys/wrapping/unwrap" in failed["msg"]
    assert (fleet.status["certificate"]["serial"], fleet.status["problems"]) == (first, [])
    assert fleet.status["pending"] == fleet.status["generation"] + 1
    assert fleet.run(force=True)["changed"]
    assert fleet.status["pending"] is None


def test_a_device_that_finds_no_way_to_the_server_makes_no_key(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {"url": "https://127.0.0.1:1", "host": "vault.lab.internal", "others": []}
    monkeypatch.setattr(enrol, "_where", lambda *_: nowhere)
    failed = fleet.run()
    assert "https://127.0.0.1:1: no way to it within 0 s: " in failed["msg"]
    assert fleet.status["pending"] is None


def test_the_servers_new_ca_is_learned_within_the_run(
    fleet: Fleet, server: RunningVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VAULT_CACERT")
    kept = FileSecrets(fleet.folder)
    kept.write("vault/ca", {"pem": server.server.ca_pem})
    fleet.run()
    arguments = (EXAMPLE, fleet.folder)
    assert enrolment.Enrolment(*arguments).wanted(DEVICE)["server_anchors"] == [server.server.ca_pem]
    other = (fleet.folder / "other", fleet.folder / "other/server.pem")
    other[0].mkdir()
    kept.write("vault/ca", {"pem": make_tls(other[0])})
    assert enrolment.Enrolment(*arguments).wanted(DEVICE)["server_anchors"] == [other[1].read_text()]


def test_what_vouched_for_the_server_at_first_may_stay() -> None:
    root, first = (Authority(name).pem for name in ("Root", "First"))
    here = [{"sha256": digest} for digest in device_certificate.digests([root])]
    status = STATUS | {"anchors": here, "server_anchors": [{"sha256": "ab"}]}
    wanted = WANTED | {"anchors": [root]}
    assert not device_certificate.anchors_differ(status, wanted | {"server_anchors": [root]})
    assert device_certificate.anchors_differ(status, wanted | {"server_anchors": [first]})
    assert device_certificate.anchors_differ(status, wanted | {"anchors": [root, first]})
    assert not device_certificate.anchors_differ(status, WANTED)


def test_a_request_that_asks_for_more_than_the_plan_gets_no_token(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, greedy = new_key(Names(dns=("umeda-bems.lab.internal", "hub-ce-a.lab.internal")))
    monkeypatch.setattr(certificate, "assess", None)
    monkeypatch.setattr(
        Action,
        "_execute_module",
        lambda *_, **__: {"reasons": ["asked for"], "made": {"csr": greedy, "generation": 1}},
    )
    with pytest.raises(AnsibleError, match=r"differs from the plan in the names .*hub-ce-a.lab.internal"):
        fleet.run(force=True)


def test_a_device_without_identity_is_told(fleet: Fleet) -> None:
    with pytest.raises(
        AnsibleError, match=r"^b-hss: the plan gives it no certificate: call this for devices"
    ):
        fleet.run(device="b-hss")
