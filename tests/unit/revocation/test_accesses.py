"""Whether a stolen certificate is refused at every access, and what is judged of that."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from dot1x_service import controlled
from est_world import plan as with_est
from revocation_fakes import AT_ACCESSES, DEVICE, LOGS, Devices, ledger, steps
from two_dras import HOSTS, with_two

from heiiki import revocation
from heiiki.plan.model import Identity, Plan
from heiiki.report import EvidenceStore
from heiiki.requirements import Result
from heiiki.revocation import AccessBy, Outcome, RevocationStep, RevokedAtServer, table, ways
from heiiki.revocation.accesses import BY_STEPS, letting_in
from heiiki.revocation.evidence import evidence
from heiiki.revocation.ways import No, Scene, Way
from heiiki.verify.fleet import Answer, Fleet
from heiiki.verify.ipsec.test_certificates import Credential, foreign

SHOWN = Credential("certificate", "key")
REFUSED = {"stage": "tls", "cause": "tlsv1 alert certificate revoked"}
TAKEN = {"taken": "client"}
BY_HTTP = {"stage": "http", "status": 200, "cause": "{}"}
BY_EST = {"stage": "http", "status": 400, "cause": "that of the certificate shown"}
BY_AIR = "CTRL-EVENT-EAP-FAILURE2 failure: reason=2 depth=0"
SOUGHT = (
    [f"certificate chain failure: reason=2 .*/CN={DEVICE}.lab.internal'", f"{LOGS}/heiiki-authenticator.log"],
    ["OpenSSL says error 23 : certificate revoked", f"{LOGS}/heiiki-radius.log"],
)
"""What hostapd 2.10 and FreeRADIUS 3.2 log, tried with the real ones."""
SILENT = {
    "it by TLS 1.2": {"stage": "tls", "cause": "unexpected eof while reading"},
    "it by TLS 1.3": {"stage": "closed", "cause": "it hung up"},
}
LISTED = "the lists that are loaded refuse the device"
TLS = {"xmpp", "tls_access"}
NOT_IN_THE_LAB = {AccessBy.WIRED, AccessBy.BOOK, AccessBy.EST}


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What would have been waited for, seconds; it passes on the clock."""
    found: list[float] = []
    ticks = count()
    monkeypatch.setattr(ways.time, "sleep", found.append)
    monkeypatch.setattr(ways.time, "monotonic", lambda: sum(found) + next(ticks) / 1000)
    return found


class Network(Devices):
    """A fleet whose servers know of the revocation from their `knows`-th trial on."""

    def __init__(
        self, knows: int = 2, own: Mapping[str, Any] = TAKEN, error: str = "", reason: str = "2"
    ) -> None:
        super().__init__()
        self.knows, self.own, self.error, self.reason = knows, own, error, reason
        self.asked: list[tuple[str, str]] = []
        self.shown: list[Any] = []
        self.places: list[Any] = []
        self.pulled: set[str] = set()
        self.counters = count(step=20)
        self.logged: list[str] = []

    def ask(self, probe: str, parameters: Mapping[str, Any], timeout: float = 30.0) -> dict[str, Answer]:
        assert timeout
        return {name: self.answer(probe, name, own) for name, own in parameters.items()}

    def answer(self, probe: str, name: str, question: Mapping[str, Any]) -> Answer:
        if probe == "read":
            return Answer(name, {"commands": self.read(name, question["commands"])}, "", b"")
        self.asked.append((probe, name))
        if self.error:
            return Answer(name, {}, self.error, b"")
        known = sum(one == (probe, name) for one in self.asked) >= self.knows
        if probe == "wlan":
            return Answer(name, self.on_lan(known, question), "", b"")
        self.shown += [one for one in question["attempts"] if "own" not in one["name"]]
        self.places += question.get("places", [])
        if any(one["device"] == "radius" for one in question.get("places", ())):
            return Answer(name, {"attempts": self.by_radsec(known)}, "", b"")
        said = self.by_http(known, question) if probe == "rest" else self.by_tls(known)
        return Answer(name, {"attempts": {one: {"it": came} for one, came in said.items()}}, "", b"")

    def read(self, name: str, commands: Mapping[str, Any]) -> dict[str, Any]:
        if "pull" in commands:
            self.pulled.add(name)
        nft = {"counter": {"name": "unauthorized_in", "packets": next(self.counters)}}
        said = {"counters": json.dumps({"nftables": [nft]}), "counted": f"{len(self.logged)}\n"}
        if "counted" in commands:
            grep, count_, *sought = commands["counted"]
            assert (grep, count_) == ("grep", "-c")
            assert sought in SOUGHT
        return {one: {"rc": 0, "out": said.get(one, ""), "err": ""} for one in commands}

    def by_tls(self, known: bool) -> dict[str, Any]:
        return {"revoked certificate": REFUSED if known else TAKEN, "again": self.own}

    def by_radsec(self, known: bool) -> dict[str, Any]:
        """FreeRADIUS hangs up on every other name than its peer's, and sends no alert."""
        if known and self.reason == "2":
            self.logged += ["2"] * 2
        refused = SILENT if self.knows < 1000 else dict.fromkeys(SILENT, TAKEN)
        return {"revoked certificate": refused, "again": {"it": self.own}}

    def by_http(self, known: bool, question: Mapping[str, Any]) -> dict[str, Any]:
        good = BY_EST if "est" in question["attempts"][0]["path"] else BY_HTTP
        own = good if self.own is TAKEN else self.own
        names = [one["name"] for one in question["attempts"]]
        assert names == ["revoked certificate", "its own certificate"]
        return dict(zip(names, (REFUSED if known else good, own), strict=True))

    def on_lan(self, known: bool, question: Mapping[str, Any]) -> dict[str, Any]:
        if question["do"] not in ("join", "plug"):
            return {"poses": {"own certificate": [BY_AIR]}}
        names = [one["name"] for one in question["attempts"]]
        inside = {one: "own" in one or (not known and question["do"] == "join") for one in names}
        if known and self.reason == "2":
            self.logged.append(self.reason)
        said = ["CTRL-EVENT-EAP-FAILURE EAP authentication failed"]
        return {
            "attempts": {
                one: {"in": inside[one], "answered": inside[one], "said": said, "refused": ""}
                for one in names
            }
        }


def revoked(plan: Plan, network: Network, done: RevokedAtServer, device: str = DEVICE) -> dict[str, Any]:
    """Return the accesses' steps by access."""
    taken = steps(plan, network, device, revoke=lambda: done)
    assert not [step for step in taken if step.needed and step.access], "they hold nothing up"
    assert [step.access for step in taken if step.access and not step.finished >= step.started] == []
    return {step.access: step for step in taken if step.access}


def there(found: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the service has."""
    return {access: step for access, step in found.items() if step.outcome != Outcome.NONE}


def test_every_access_is_tried_until_it_is_shut(lab_plan: Plan) -> None:
    network = Network()
    found = revoked(lab_plan, network, RevokedAtServer(("x",), ("01",), SHOWN))
    assert {access: (step.outcome, step.problem) for access, step in found.items()} == {
        access: (Outcome.NONE if access in NOT_IN_THE_LAB else Outcome.SHUT, "")
        for access in AccessBy
        if access not in BY_STEPS
    }
    assert {access: step.place for access, step in there(found).items()} == {
        AccessBy.WLAN: "namba-gw",
        AccessBy.XMPP: "xmpp",
        AccessBy.OPENADR: "dras",
        AccessBy.REST: "dras",
        AccessBy.MMS: "umeda-bems, sakai-bems",
        AccessBy.RADSEC: "radius",
    }
    assert network.pulled >= {"namba-gw", "xmpp", "dras", "umeda-bems", "sakai-bems", "radius"}
    for probe in ("xmpp", "tls_access", "rest", "wlan"):
        assert sum(one == probe for one, _ in network.asked) >= 2
    assert ("tls_access", "dras") in network.asked, "the address from which alone MMS is open"
    assert ("tls_access", "a-pe1") in network.asked, "the one proxy that the RADIUS server answers"
    assert {one["port"] for one in network.places if one["device"] == "radius"} == {2083}
    assert ("rest", "esp-denki") in network.asked, "the address from which alone REST is open"
    assert all(name != DEVICE for _, name in network.asked), "not by the device that was stolen"
    assert {one["certificate"] for one in network.shown} == {"certificate"}


def test_an_access_that_stays_open_and_one_that_is_refused_to_all(lab_plan: Plan) -> None:
    done = RevokedAtServer(("x",), ("01",), SHOWN)
    opened = there(revoked(lab_plan, Network(knows=10_000), done))
    assert {step.outcome for step in opened.values()} == {Outcome.OPEN}
    assert "let in" in opened[AccessBy.XMPP].problem
    down = revoked(lab_plan, Network(knows=1, own={"stage": "connect", "cause": "refused"}), done)
    for access in (AccessBy.XMPP, AccessBy.OPENADR, AccessBy.MMS, AccessBy.RADSEC):
        assert down[access].outcome == Outcome.UNTRIED
        assert "its own certificate was not taken either" in down[access].problem
    assert down[AccessBy.REST].outcome == Outcome.UNTRIED
    assert "its own certificate was not answered either" in down[AccessBy.REST].problem
    silent = there(revoked(lab_plan, Network(error="no answer"), done))
    assert {(step.outcome, step.problem) for step in silent.values()} == {(Outcome.UNTRIED, "no answer")}


def test_without_a_certificate_for_it_no_access_is_tried(lab_plan: Plan) -> None:
    network = Network()
    found = there(revoked(lab_plan, network, RevokedAtServer(("x",), ("01",), None, "the server is sealed")))
    assert {(step.outcome, step.problem) for step in found.values()} == {
        (Outcome.UNTRIED, "the server is sealed")
    }
    assert len(found) == 6
    assert network.asked == []
    assert revoked(lab_plan, Network(), RevokedAtServer((), ())) == {}, "nothing was left to do"


def scene(plan: Plan, network: Network, device: str = DEVICE, logs: str = LOGS) -> Scene:
    def good(identity: Identity) -> Credential:
        assert identity.device != device
        return foreign(identity)

    return Scene(plan, cast("Fleet", network), plan.device(device), good, logs)


def way(plan: Plan, access: AccessBy, device: str = DEVICE) -> Way | No:
    return ways.ways(scene(plan, Network(), device))[access]


def came(of: Scene, access: AccessBy) -> tuple[Outcome, str]:
    found = ways.ways(of)[access]
    assert isinstance(found, Way)
    return ways.tried(of.fleet, found, SHOWN)


def test_what_a_service_does_not_have_is_no_access(lab_plan: Plan) -> None:
    absent = ("xmpp", "vtn", "mms_client", "mms_server", "radius", "access_point")
    bare = replace(
        lab_plan,
        devices=tuple(replace(device, **dict.fromkeys(absent)) for device in lab_plan.devices),
    )
    found = ways.ways(scene(bare, Network()))
    assert {
        access for access, one in found.items() if isinstance(one, No) and one.outcome is Outcome.NONE
    } == {access for access in AccessBy if access not in BY_STEPS}


@pytest.mark.parametrize(
    ("access", "device", "why"),
    [
        (AccessBy.WLAN, "namba-erc", "no wireless LAN is left"),
        (AccessBy.XMPP, "xmpp", "no client is left"),
        (AccessBy.MMS, "dras", "DRAS, from which alone it can be tried"),
        (AccessBy.RADSEC, "a-pe1", "no proxy is left"),
    ],
)
def test_an_access_that_no_device_is_left_to_try(
    lab_plan: Plan, access: AccessBy, device: str, why: str
) -> None:
    found = way(lab_plan, access, device)
    assert isinstance(found, No)
    assert found.outcome is Outcome.UNTRIED
    assert why in found.why


@pytest.mark.parametrize("access", [AccessBy.WIRED, AccessBy.RADSEC])
def test_who_tells_the_peer_nothing_must_log_that_it_refused_what_is_revoked(
    lab_plan: Plan, access: AccessBy
) -> None:
    plan = lab_plan if access is AccessBy.RADSEC else controlled()[0]
    assert came(scene(plan, Network()), access)[0] is Outcome.SHUT
    # Another's certificate is refused in any case, and before the lists are there too.
    for of in (scene(plan, Network(reason="12")), scene(plan, Network(), logs="")):
        outcome, said = came(of, access)
        assert outcome is Outcome.UNTRIED
        assert "its log does not say that this is for the revocation" in said


def test_a_registration_authority_is_tried_from_the_host_of_an_esp() -> None:
    plan = with_est()
    network = Network()
    of = scene(plan, network, next(one.name for one in plan.devices if one.ven is not None))
    assert came(of, AccessBy.EST)[0] is Outcome.SHUT
    assert set(network.asked) == {("rest", "esp-kansai")}
    assert came(replace(of, fleet=cast("Fleet", Network(knows=99))), AccessBy.EST)[0] is Outcome.OPEN


def test_both_hosts_of_a_vtn_are_tried_and_neither_takes_the_others_book_from_a_third() -> None:
    found = way(with_two(), AccessBy.OPENADR)
    assert isinstance(found, Way)
    assert found.servers == HOSTS
    assert way(with_two(), AccessBy.BOOK) == No(
        Outcome.NONE, "a host of a VTN takes the book of the other one alone"
    )
    stolen = way(with_two(), AccessBy.BOOK, HOSTS[0])
    assert isinstance(stolen, No)
    assert stolen.outcome is Outcome.UNTRIED


@pytest.mark.parametrize(
    ("device", "let_in"),
    [
        (DEVICE, {"hub-ce-b": (AccessBy.IPSEC,)}),
        (
            "namba-erc",
            {"namba-gw": (AccessBy.WLAN,), "dras": (AccessBy.OPENADR,), "xmpp": (AccessBy.XMPP,)},
        ),
        ("a-pe1", {"hub-ce-a": (AccessBy.IPSEC,), "radius": (AccessBy.RADSEC,)}),
        ("esp-denki", {"dras": (AccessBy.REST,)}),
        (
            "dras",
            {"xmpp": (AccessBy.XMPP,), "umeda-bems": (AccessBy.MMS,), "sakai-bems": (AccessBy.MMS,)},
        ),
    ],
)
def test_who_lets_a_device_in(lab_plan: Plan, device: str, let_in: dict[str, Any]) -> None:
    assert letting_in(lab_plan, lab_plan.device(device)) == let_in


def test_a_host_of_a_vtn_is_let_in_by_the_other_one_and_a_supplicant_by_its_authenticator() -> None:
    plan = with_two()
    assert AccessBy.BOOK in letting_in(plan, plan.device("dras"))["dras-2"]
    wired = controlled()[0]
    (gateway,) = (one.name for one in wired.devices if one.authenticator is not None)
    (controller,) = (one for one in wired.devices if one.supplicant is not None)
    assert AccessBy.WIRED in letting_in(wired, controller)[gateway]


def test_whoever_lets_a_device_in_must_have_the_lists(lab_plan: Plan) -> None:
    taken = steps(lab_plan, Devices({"namba-gw": "namba-gw: no connection"}), "namba-erc")
    needed = {step.name: step.problem for step in taken if step.needed}
    assert needed == {
        "mark in the intent": "",
        "certificates": "",
        "Wi-Fi at namba-gw": "namba-gw: no connection",
        "OpenADR at dras": "",
        "XMPP at xmpp": "",
    }
    document = evidence(lab_plan, "namba-erc", taken)
    assert not document["complete"]
    rows = {row["access"]: (row["place"], row["outcome"]) for row in document["accesses"]}
    assert rows == {
        AccessBy.WLAN: ("namba-gw", Outcome.OPEN),
        AccessBy.OPENADR: ("dras", Outcome.UNTRIED),
        AccessBy.XMPP: ("xmpp", Outcome.UNTRIED),
    }
    (by_xmpp,) = (row for row in document["accesses"] if row["access"] == AccessBy.XMPP)
    assert by_xmpp["reason"] == f"{LISTED}; no certificate was shown there"


def test_without_the_server_who_lets_a_device_in_does_so_still(lab_plan: Plan) -> None:
    def away() -> RevokedAtServer:
        raise ZeroDivisionError

    taken = steps(lab_plan, Devices(), "namba-erc", revoke=away)
    assert {
        step.name: step.problem for step in taken if step.needed and " at " in step.name
    } == dict.fromkeys(
        ("Wi-Fi at namba-gw", "OpenADR at dras", "XMPP at xmpp"),
        "the certificates of the device are not revoked",
    )


def judged_at_accesses(plan: Plan, artifacts: Path) -> Any:
    """What is judged of the accesses."""
    every = revocation.verdicts(plan, artifacts, EvidenceStore(artifacts).keep, ledger(artifacts))
    (found,) = (one for one in every if one.subject == AT_ACCESSES)
    return found


def kept(plan: Plan, artifacts: Path, **changes: tuple[Outcome, float]) -> None:
    """Keep the evidence of a revocation: every access shut after two seconds, but for `changes`."""
    every = {access.name: (Outcome.SHUT, 2.0) for access in AccessBy} | changes
    taken = [
        _step(f"{access} at hub-ce-b", *every["IPSEC"])
        if access is AccessBy.IPSEC
        else _step("SIM at b-hss", *every["LTE"])
        if access is AccessBy.LTE
        else _step(f"access {access}", *every[access.name], access=access)
        for access in AccessBy
    ]
    path = artifacts / "revocation/24.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(evidence(plan, DEVICE, taken, "2026-11-24T10:00:00.000+00:00")))
    ledger(artifacts).add("revocation 24", hashlib.sha256(path.read_bytes()).hexdigest())


def _step(name: str, outcome: Outcome, seconds: float, access: str = "") -> RevocationStep:
    ends = f"2026-11-24T10:00:{seconds:06.3f}+00:00"
    problem = "" if outcome in (Outcome.SHUT, Outcome.NONE) else "a reason"
    more = {"needed": False, "access": access, "outcome": outcome} if access else {}
    return RevocationStep(name, "2026-11-24T10:00:00.000+00:00", ends, (), problem, **more)  # type: ignore[arg-type]


def test_the_last_door_is_named_and_held_to_the_bound(lab_plan: Plan, tmp_path: Path) -> None:
    kept(lab_plan, tmp_path, XMPP=(Outcome.SHUT, 6.5))
    good = judged_at_accesses(lab_plan, tmp_path)
    assert (good.result, good.measured, good.bound) == (Result.PASS, 6.5, 10.0)
    assert "last shut: XMPP; " in good.reason
    assert good.reason.endswith("XMPP 6.5 s")
    kept(lab_plan, tmp_path, WLAN=(Outcome.SHUT, 10.5))
    late = judged_at_accesses(lab_plan, tmp_path)
    assert (late.result, late.measured) == (Result.FAIL, 10.5)
    assert "last shut: Wi-Fi" in late.reason


def test_an_open_door_fails_and_one_that_was_not_tried_is_unknown(lab_plan: Plan, tmp_path: Path) -> None:
    kept(lab_plan, tmp_path, MMS=(Outcome.UNTRIED, 2.0))
    found = judged_at_accesses(lab_plan, tmp_path)
    assert found.result is Result.UNKNOWN
    assert "MMS: unknown: a reason; last shut: " in found.reason
    kept(lab_plan, tmp_path, MMS=(Outcome.UNTRIED, 2.0), XMPP=(Outcome.OPEN, 15.0))
    found = judged_at_accesses(lab_plan, tmp_path)
    assert found.result is Result.FAIL
    assert "XMPP: still open: a reason; MMS: unknown: a reason; " in found.reason
    kept(lab_plan, tmp_path, IPSEC=(Outcome.OPEN, 2.0))
    assert judged_at_accesses(lab_plan, tmp_path).result is Result.FAIL
    kept(lab_plan, tmp_path, WLAN=(Outcome.NONE, 0.0))
    assert judged_at_accesses(lab_plan, tmp_path).result is Result.PASS


def test_a_record_without_trials_says_of_ipsec_and_lte_alone_that_they_are_shut(
    lab_plan: Plan, tmp_path: Path
) -> None:
    kept(lab_plan, tmp_path)
    path = tmp_path / "revocation/24.json"
    document = json.loads(path.read_text())
    document["steps"] = [step for step in document["steps"] if not step["access"]]
    assert [str(row) for row in table(document)] == [
        "IPsec at hub-ce-b: shut after 2.0 s",
        "LTE at b-hss: shut after 2.0 s",
    ]
    path.write_text(json.dumps(document))
    ledger(tmp_path).add("revocation 24", hashlib.sha256(path.read_bytes()).hexdigest())
    found = judged_at_accesses(lab_plan, tmp_path)
    assert found.result is Result.UNKNOWN
    assert "no certificate was shown at any access; last shut: " in found.reason


def rows(*taken: RevocationStep) -> list[str]:
    document = {
        "started": "2026-11-24T10:00:00.000+00:00",
        "steps": [json.loads(json.dumps(_dict(one))) for one in taken],
    }
    return [str(row) for row in table(document)]


def _dict(step: RevocationStep) -> dict[str, Any]:
    return {
        name: getattr(step, name) for name in ("name", "finished", "problem", "access", "outcome", "place")
    }


def test_each_peer_is_a_row_and_the_slowest_access_is_the_last_that_is_shut() -> None:
    assert rows(
        _step("IKE SA at hub-ce-a", Outcome.SHUT, 1.0),
        _step("IPsec at hub-ce-a", Outcome.SHUT, 4.0),
        _step("IPsec at hub-ce-b", Outcome.SHUT, 3.0),
        _step("CRL at umeda-ce-a", Outcome.OPEN, 9.0),
        _step("SIM at b-hss", Outcome.SHUT, 1.5),
        _step("session at b-pgw", Outcome.SHUT, 2.5),
        _step("access XMPP", Outcome.SHUT, 3.5, access="XMPP"),
        _step("access EST", Outcome.NONE, 3.5, access="EST"),
    ) == [
        "LTE at b-hss, b-pgw: shut after 2.5 s",
        "IPsec at hub-ce-b: shut after 3.0 s",
        "XMPP: shut after 3.5 s",
        "IPsec at hub-ce-a: shut after 4.0 s",
    ]


def test_what_a_certificate_is_shown_to_counts_beside_the_lists() -> None:
    listed = _step("Wi-Fi at namba-gw", Outcome.SHUT, 3.0)
    assert rows(listed, _step("access Wi-Fi", Outcome.SHUT, 5.0, access="Wi-Fi")) == [
        "Wi-Fi at namba-gw: shut after 5.0 s"
    ]
    assert rows(listed, _step("access Wi-Fi", Outcome.UNTRIED, 2.0, access="Wi-Fi")) == [
        "Wi-Fi at namba-gw: unknown: the lists that are loaded refuse the device; a reason"
    ]
    assert rows(listed, _step("access Wi-Fi", Outcome.OPEN, 15.0, access="Wi-Fi")) == [
        "Wi-Fi at namba-gw: still open: a reason"
    ]
    assert rows(
        _step("Wi-Fi at namba-gw", Outcome.OPEN, 3.0), _step("access Wi-Fi", Outcome.SHUT, 5.0, "Wi-Fi")
    ) == ["Wi-Fi at namba-gw: still open: a reason"]
    many = [_step(f"MMS at erc-{number}", Outcome.SHUT, 3.0) for number in range(9)]
    assert rows(*many) == [
        (
            "MMS at erc-0, erc-1, erc-2, erc-3, 5 more: unknown: the lists that are loaded refuse the "
            "device; no certificate was shown there"
        )
    ]


def test_the_seconds_are_those_of_the_accesses_that_the_device_had() -> None:
    started = "2026-11-30T12:00:00.000+00:00"
    ends = {"XMPP": ("2026-11-30T12:00:04.000+00:00", True), "REST": ("2026-11-30T12:00:12.000+00:00", False)}
    taken = [
        {
            "name": f"access {access}",
            "started": started,
            "finished": finished,
            "problem": "",
            "access": access,
            "outcome": "shut",
            "place": "here",
            "own": own,
        }
        for access, (finished, own) in ends.items()
    ]
    assert [str(row) for row in table({"started": started, "steps": taken})] == [
        "XMPP at here: shut after 4.0 s",
        "REST at here: refused as revoked, too, where it never had access (12.0 s)",
    ]
