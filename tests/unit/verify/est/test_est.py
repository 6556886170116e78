"""The live verdicts on enrolment, tried at the program itself, in front of a real CA."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from est_world import CISCO, EstWorld, est_vault, est_world
from vendor_service import FOLDER

from heiiki.intent import load
from heiiki.pki.issue import mint, signing_call
from heiiki.pki.revoke import revoke
from heiiki.pki.server.login import logged_in
from heiiki.pki.server.policies import AppRole
from heiiki.plan import Plan, build
from heiiki.plan.model import Identity
from heiiki.requirements import Result, Stage
from heiiki.requirements.verdict import Evidence
from heiiki.verify.est import access, served
from heiiki.verify.fleet import Answer
from heiiki.verify.probes import rest as probe


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EstWorld]:
    folder = tmp_path_factory.mktemp("est-live")
    with est_vault(folder) as made, est_world(made, folder) as world:
        yield world


class Authority:
    """Makes certificates at the CA, and has the program know what is revoked."""

    def __init__(self, world: EstWorld) -> None:
        self._world = world

    def sign(self, identity: Identity, csr: str, life: str) -> str:
        world = self._world
        path, names = signing_call(world.vault.trust, identity)
        opened = world.vault.running.session(mint(world.vault.enroller, identity).token)
        token = opened.write("sys/wrapping/unwrap", {})["auth"]["client_token"]
        session = world.vault.running.session(token)
        made = session.write(path, {**names, "csr": csr, "ttl": life})["data"]
        # As the lab does: the chain that a server needs to see.
        return str(made["certificate"] + "\n" + made["ca_chain"][0] + "\n")

    def revoke(self, certificate: str) -> None:
        serial = x509.load_pem_x509_certificate(certificate.encode()).serial_number
        text = f"{serial:x}".zfill(40)
        with logged_in(self._world.vault.access, AppRole.REVOKER) as session:
            octets = ":".join(text[at : at + 2] for at in range(0, 40, 2))
            revoke(session, self._world.vault.trust, [octets.removeprefix("00:")])
        self._world.fetch_lists()
        self._world.reload()


class Fleet:
    """Answers for the host of the program, and for the ESP's system, whose probe runs here."""

    def __init__(self, world: EstWorld, came: Mapping[str, Any] | None = None) -> None:
        self._world, self._came = world, came or {}

    def ask(self, name: str, questions: Mapping[str, Any], _timeout: float = 30.0) -> dict[str, Answer]:
        ((device, question),) = questions.items()
        if name == "rest":
            here = {**question, "address": "127.0.0.1", "port": self._world.port}
            data = probe.main(here)
            data["attempts"] |= self._came
            return {device: Answer(device, data, "", json.dumps(data).encode())}
        commands = {
            "pull": {"rc": 0, "out": "", "err": ""},
            "roots": {"rc": 0, "out": (self._world.folder / "roots.pem").read_text(), "err": ""},
            "health": {"rc": 0, "out": (self._world.folder / "status.json").read_text(), "err": ""},
            "devices": {"rc": 0, "out": json.dumps(self._world.operate("GET", "/devices")), "err": ""},
        }
        data = {"commands": commands | dict(self._came)}
        return {device: Answer(device, data, "", b"")}


def keep(name: str, _raw: bytes) -> Evidence:
    return Evidence(name, "0" * 64)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_each_refusal_is_for_the_reason_that_was_provoked(
    world: EstWorld,
) -> None:
    before = world.issued("esp-kansai")
    fleet: Any = Fleet(world)
    found = list(access.verdicts(world.plan, fleet, keep, Authority(world)))
    assert tuple(one.subject for one in found) == access.subjects(world.plan)
    assert {one.subject: (one.result, one.reason) for one in found if one.result is not Result.PASS} == {}
    # What is tried has nothing signed: the certificates are those of the trials themselves.
    assert world.issued("esp-kansai") == before + 3


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_one_that_is_let_in_fails(world: EstWorld) -> None:
    inside = {"TLS 1.3": {"stage": "http", "status": 200, "cause": ""}}
    fleet: Any = Fleet(world, {"wrong secret": inside})
    found = {one.subject: one for one in access.verdicts(world.plan, fleet, keep, Authority(world))}
    one = found["wrong secret: dras by EST"]
    assert (one.result, one.reason) == (Result.FAIL, "TLS 1.3: answered")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_without_the_good_certificate_no_refusal_has_a_reason(world: EstWorld) -> None:
    fleet: Any = Fleet(world, {"its own certificate": {"TLS 1.3": {"stage": "tcp", "cause": "refused"}}})
    found = list(access.verdicts(world.plan, fleet, keep, Authority(world)))
    assert {one.result for one in found} == {Result.UNKNOWN}
    barred = list(access.verdicts(world.plan, fleet, keep, None, "not here"))
    assert {(one.result, one.reason) for one in barred} == {(Result.UNKNOWN, "not here")}


def test_the_program_says_why_it_trusted_each_device(world: EstWorld) -> None:
    world.certified(CISCO)
    fleet: Any = Fleet(world)
    (found,) = served.verdicts(world.plan, fleet, keep)
    assert (found.subject, found.result) == ("registration authority on dras", Result.PASS)
    assert found.reason.endswith("certificates were given, and it is kept for each why")


@pytest.mark.parametrize(
    ("came", "result", "said"),
    [
        (
            {"health": {"rc": 1, "out": "", "err": "nothing has been reported yet"}},
            Result.FAIL,
            "it does not work: nothing has been reported yet",
        ),
        (
            {"health": {"rc": 0, "out": '{"problem": "no certificate"}', "err": ""}},
            Result.FAIL,
            "it does not listen: no certificate",
        ),
        (
            {
                "devices": {
                    "rc": 0,
                    "out": json.dumps([{"certificates": [{"serial": "01", "trust": ""}]}]),
                    "err": "",
                }
            },
            Result.FAIL,
            "it does not know why it gave the certificates 01",
        ),
        ({"devices": {"rc": 0, "out": "hello", "err": ""}}, Result.UNKNOWN, "its answer cannot be read"),
    ],
)
def test_what_is_wrong_with_the_program(
    world: EstWorld, came: dict[str, Any], result: Result, said: str
) -> None:
    fleet: Any = Fleet(world, came)
    (found,) = served.verdicts(world.plan, fleet, keep)
    assert found.result is result
    assert found.reason.startswith(said)


def test_a_service_without_one(world: EstWorld, lab_inventory: Path) -> None:
    without: Plan = build(load(FOLDER))
    fleet: Any = Fleet(world)
    (found,) = served.verdicts(without, fleet, keep)
    assert (found.stage, found.result) == (Stage.LIVE, Result.NOT_APPLICABLE)
    assert list(access.verdicts(without, fleet, keep, None)) == []
    assert access.subjects(build(load(lab_inventory))) == ()
