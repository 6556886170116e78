"""The REST API over TLS on loopback: who is let in, what counts once, and what one ESP sees of another."""

import json
import signal
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from openadr_loopback import Authority, Battery, Program, Ven, Vtn
from rest_loopback import Esp, order, rest
from waiting import awaited

from heiiki_agent.openadr.rest.request import LIMIT

from .conftest import Connect

KANSAI, DENKI = "esp-kansai.example", "esp-denki.example"


def ids(answer: Any) -> list[str]:
    return [one["event_id"] for one in answer.document["items"]]


def test_an_event_reaches_the_site_and_its_answers_come_back(
    tmp_path: Path, authority: Authority, served: Vtn, running: list[Program], esp: Connect
) -> None:
    kansai = esp(KANSAI)
    battery = Battery(tmp_path / "umeda-battery.sock")
    ven = Ven(tmp_path, authority.issue("umeda.example"), served.port, "umeda")
    running.append(ven)
    ven.start()
    sent = kansai.send("order-0001", "umeda")
    assert (sent.status, sent.kind) == (201, "application/json")
    event_id = sent.document["event_id"]
    assert sent.document["sites"] == [{"site": "umeda", "opt": None, "acknowledged": False}]

    def answers() -> Any:
        return kansai.ask("GET", f"/v1/events/{event_id}").document["sites"]

    awaited(
        "the site answers", lambda: answers() == [{"site": "umeda", "opt": "optIn", "acknowledged": True}]
    )
    reports = "/v1/sites/umeda/reports?limit=1"
    awaited("reports come", lambda: kansai.ask("GET", reports).document["more"])
    first = kansai.ask("GET", reports).document["items"][0]
    second = kansai.ask("GET", f"{reports}&after={first['report_id']}").document["items"][0]
    assert first["values"][0]["r_id"] == "power"
    assert second["values"][0]["value"] > first["values"][0]["value"]
    cancelled = kansai.ask("POST", f"/v1/events/{event_id}/cancel")
    assert (cancelled.status, cancelled.document["status"]) == (200, "cancelled")
    assert kansai.ask("POST", f"/v1/events/{event_id}/cancel").document["version"] == 1
    awaited("the cancellation is answered", lambda: answers()[0]["acknowledged"])
    assert kansai.ask("GET", "/v1/sites").document["items"] == [
        {"site": "tenma", "registered": False},
        {"site": "umeda", "registered": True},
    ]
    battery.close()


def test_the_same_request_again_is_answered_by_the_same_bytes_and_sends_nothing(
    served: Vtn, esp: Connect
) -> None:
    kansai, body = esp(KANSAI), order("umeda")
    first = kansai.ask("POST", "/v1/events", body, "order-0001")
    # Its answer was lost, and the process with it.
    served.end(signal.SIGKILL)
    served.start()
    again = kansai.ask("POST", "/v1/events", body, "order-0001")
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    other = kansai.ask("POST", "/v1/events", body | {"duration": "PT2H"}, "order-0001")
    assert (other.status, other.document["detail"]) == (
        422,
        "Idempotency-Key: was used for another event; give each event a key of its own",
    )
    assert len(ids(kansai.ask("GET", "/v1/events"))) == 1
    # A key is its owner's: another ESP that has the same one sends an event of its own.
    assert esp(DENKI).ask("POST", "/v1/events", body, "order-0001").document["event_id"] not in first.document


def test_nothing_of_one_esp_is_there_for_another(served: Vtn, esp: Connect) -> None:
    kansai, denki = esp(KANSAI), esp(DENKI)
    theirs = kansai.send("order-0001", "umeda").document["event_id"]
    own = denki.send("order-0001", "umeda").document["event_id"]
    assert served.operate("POST", "/DRAS/events", operators_event("by-hand"))[0] == 200
    assert ids(denki.ask("GET", "/v1/events")) == [own]
    assert ids(kansai.ask("GET", "/v1/events")) == [theirs]
    for event_id in (theirs, "by-hand", "0" * 32):
        for method, path in (("GET", ""), ("POST", "/cancel")):
            refused = denki.ask(method, f"/v1/events/{event_id}{path}")
            assert (refused.status, refused.document["detail"]) == (
                404,
                f"event_id: {event_id}: denki has no such event; list the events",
            )
    assert kansai.ask("GET", f"/v1/events/{theirs}").document["status"] == "far"
    assert denki.ask("GET", f"/v1/events?after={theirs}").status == 400


@pytest.mark.parametrize("site", ["tenma", "nowhere"])
def test_a_site_of_others_is_as_one_that_is_not_there(esp: Connect, site: str) -> None:
    kansai, denki = esp(KANSAI), esp(DENKI)
    refused = denki.send("order-0001", "umeda", site)
    assert (refused.status, refused.kind, refused.document) == (
        403,
        "application/problem+json",
        {
            "type": "urn:heiiki:problem:forbidden",
            "title": "Forbidden",
            "status": 403,
            "detail": f"sites[1]: {site}: denki may not address it; it may address umeda",
        },
    )
    assert ids(denki.ask("GET", "/v1/events")) == []
    for what in ("opts", "reports"):
        assert denki.ask("GET", f"/v1/sites/{site}/{what}").status == 403
        assert kansai.ask("GET", f"/v1/sites/tenma/{what}").status == 200
    # What was refused has used no key up.
    assert denki.send("order-0001", "umeda").status == 201


def operators_event(name: str) -> dict[str, Any]:
    found = order()
    return {"event_id": name, "vens": ["umeda"], **{key: found[key] for key in found if key != "sites"}}


def test_a_device_of_the_service_is_no_esp(esp: Connect) -> None:
    refused = esp("umeda.example").ask("GET", "/v1/events")
    assert (refused.status, refused.document["detail"]) == (
        403,
        "a certificate for umeda.example: is no ESP of this service; see `esps` in its service.yml",
    )
    assert esp(KANSAI).ask("GET", "/v1/events").status == 200


def refused_by_tls(system: Esp) -> str:
    with pytest.raises((ssl.SSLError, ConnectionError)) as caught:
        system.ask("GET", "/v1/events")
    return str(caught.value)


def test_who_has_no_certificate_or_a_foreign_one_gets_no_connection(
    served: Vtn, authority: Authority, esp: Connect, tmp_path: Path
) -> None:
    assert "CERTIFICATE_REQUIRED" in refused_by_tls(esp(""))
    folder = tmp_path / "other"
    folder.mkdir()
    foreign = Authority(folder, "another CA").issue(KANSAI)
    mixed = type(foreign)(certificate=foreign.certificate, key=foreign.key, trust=authority.folder / "ca.pem")
    assert "UNKNOWN_CA" in refused_by_tls(Esp(served.rest_port, mixed, mixed))
    assert esp(KANSAI).ask("GET", "/v1/events").status == 200


def test_a_revoked_certificate_gets_no_connection(served: Vtn, authority: Authority, esp: Connect) -> None:
    kansai, denki = esp(KANSAI), esp(DENKI)
    assert denki.ask("GET", "/v1/events").status == 200
    authority.revoke(authority.folder / f"{DENKI}.pem")
    assert served.process
    served.process.send_signal(signal.SIGHUP)

    def gone() -> bool:
        try:
            return denki.ask("GET", "/v1/events").status != 200
        except ssl.SSLError as error:
            return "CERTIFICATE_REVOKED" in str(error)
        except ConnectionError:
            return False

    awaited("the revoked ESP is refused", gone)
    assert "CERTIFICATE_REVOKED" in refused_by_tls(denki)
    assert kansai.ask("GET", "/v1/events").status == 200


def test_nobody_is_turned_away_while_lists_are_renewed(served: Vtn, esp: Connect) -> None:
    """Who is connected is hung up on, and asks again: no port is closed, and nobody is left waiting."""
    assert served.process
    kansai = esp(KANSAI)
    for _ in range(100):
        served.process.send_signal(signal.SIGHUP)
        # Hung up on, before the answer or in the handshake; a refusal and a timeout are other errors.
        with suppress(ConnectionResetError, ssl.SSLEOFError):
            assert kansai.ask("GET", "/v1/events").status == 200
    assert kansai.ask("GET", "/v1/events").status == 200


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "body:1:1: is not JSON: Expecting value"),
        (b"\xff", "body: is not UTF-8"),
        (b"[" * 60_000, "body: has a number that is too large, or is nested too deeply"),
        (b"9" * 5_000, "body: has a number that is too large, or is nested too deeply"),
        (b"[]", "body: is wrong: must be an object"),
        ({"stop": 1}, "body: stop: is not known here; remove it"),
        ({"sites": []}, "body: sites: is wrong: give at least 1"),
        ({"start": "2020-01-01T00:00:00Z"}, "start: 2020-01-01T00:00:00Z is not between "),
        ({"start": "9999-12-31T23:59:59Z"}, "start: 9999-12-31T23:59:59Z is not between "),
        ({"start": "today"}, "body: start: is wrong: `today` is not a date-time in UTC, such as "),
        ({"duration": "P8D"}, "duration: P8D is not between PT0S and P7D"),
        ({"duration": "P9999999999D"}, "body: "),
        ({"duration": "-PT1H"}, "duration: -PT1H is not between PT0S and P7D"),
        ({"ramp_up": "P8D"}, "ramp_up: P8D is not between PT0S and P7D"),
        ({"priority": 256}, "body: priority: is wrong: 256 is not a whole number from 0 to 255"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_changes_nothing(
    standing: Connect, body: Any, detail: str
) -> None:
    kansai = standing(KANSAI)
    sent = body if isinstance(body, bytes) else order("umeda") | body
    refused = kansai.ask("POST", "/v1/events", sent, "order-0001")
    assert (refused.status, refused.kind) == (400, "application/problem+json")
    assert refused.document["detail"].startswith(detail), refused.document
    assert ids(kansai.ask("GET", "/v1/events")) == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "9" * 400])
def test_a_value_that_is_not_finite_is_refused(standing: Connect, value: str) -> None:
    kansai = standing(KANSAI)
    sent = json.dumps(order("umeda")).replace("-5.0", value).encode()
    assert kansai.ask("POST", "/v1/events", sent, "order-0001").status == 400
    assert ids(kansai.ask("GET", "/v1/events")) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status", "detail"),
    [
        ("POST", "/v1/events", b" " * (LIMIT + 1), {}, 413, "a body has at most 65536 octets"),
        ("POST", "/v1/events", b"{}", {"Content-Type": "text/plain"}, 415, "Content-Type: is not "),
        ("POST", "/v1/events", b"{}", {"Idempotency-Key": "short"}, 400, "Idempotency-Key: the header is "),
        ("GET", "/v1/events?limit=0", None, {}, 400, "limit: is not a number from 1 to 100"),
        ("GET", "/v1/events?limit=101", None, {}, 400, "limit: is not a number from 1 to 100"),
        ("GET", "/v1/events?after=", None, {}, 400, "after: is empty; name an item of the list"),
        ("GET", "/v1/events?page=2", None, {}, 400, "page: there is no such parameter; remove it"),
        ("DELETE", "/v1/events", None, {}, 405, "DELETE: is not for this path; use GET"),
        ("GET", "/v2/events", None, {}, 404, "there is nothing at this path; see /v1/openapi.json"),
    ],
)
def test_a_request_that_cannot_be_done_is_a_problem(
    standing: Connect, method: str, path: str, body: Any, headers: dict[str, str], status: int, detail: str
) -> None:
    key = "" if "Idempotency-Key" in headers else "order-0001"
    refused = standing(KANSAI).ask(method, path, body, key, **headers)
    assert (refused.status, refused.kind) == (status, "application/problem+json")
    assert refused.document["detail"].startswith(detail), refused.document


def test_too_many_requests_of_one_are_refused_and_delay_no_other(
    tmp_path: Path, authority: Authority, running: list[Program]
) -> None:
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest(requests_per_s=1, burst=3))
    running.append(vtn)
    vtn.start()
    one, other = (
        Esp(vtn.rest_port, authority.issue(name), authority.issue(name)) for name in (KANSAI, DENKI)
    )
    came = [one.ask("GET", "/v1/sites") for _ in range(20)]
    refused = [answer for answer in came if answer.status == 429]
    assert [answer.status for answer in came[:3]] == [200] * 3
    assert refused
    assert {answer.retry_after for answer in refused} == {"1"}
    assert other.ask("GET", "/v1/sites").status == 200


def test_so_many_events_may_be_live(tmp_path: Path, authority: Authority, running: list[Program]) -> None:
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest(live_events=2))
    running.append(vtn)
    vtn.start()
    one, other = (
        Esp(vtn.rest_port, authority.issue(name), authority.issue(name)) for name in (KANSAI, DENKI)
    )
    first, _ = (one.send(f"order-000{number}", "umeda") for number in range(2))
    refused = one.send("order-0002", "umeda")
    assert (refused.status, refused.document["detail"]) == (
        409,
        "2 events are live, which is the most; cancel one, or wait until one has ended",
    )
    assert other.send("order-0000", "umeda").status == 201
    one.ask("POST", f"/v1/events/{first.document['event_id']}/cancel")
    assert one.send("order-0002", "umeda").status == 201


def test_pages_of_events_have_each_once(esp: Connect) -> None:
    kansai, denki = esp(KANSAI), esp(DENKI)
    sent = []
    for number in range(5):
        sent.append(kansai.send(f"order-000{number}", "umeda").document["event_id"])
        denki.send(f"order-000{number}", "umeda")
    found: list[str] = []
    more, after = True, ""
    while more:
        page = kansai.ask("GET", f"/v1/events?limit=2{after}")
        found += ids(page)
        more, after = page.document["more"], f"&after={found[-1]}"
    assert found == sent
