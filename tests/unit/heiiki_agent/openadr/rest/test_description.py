"""The OpenAPI description: valid, what the server says, and what the server does."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openadr_loopback import Authority, Program, Vtn, event, free_port
from openapi_spec_validator import OpenAPIV31SpecValidator
from rest_loopback import Answer, Esp, order, rest

from heiiki_agent.openadr.__main__ import main
from heiiki_agent.openadr.kept import report_body, report_digest, stored
from heiiki_agent.openadr.reports import PayloadFloat, Report, ReportInterval, ReportPayload
from heiiki_agent.openadr.rest import description
from heiiki_agent.openadr.rest.request import LIMIT

KANSAI = "esp-kansai.example"
UNSEEN = {("sendEvent", "408")}
"""A body that does not arrive is waited for; it has a test of its own."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return description.document()


REFERENCE = Path(__file__).parents[5] / "docs" / "reference" / "openapi.json"


def test_the_reference_is_of_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe"]) == 0
    assert capsys.readouterr().out == REFERENCE.read_text(encoding="utf-8"), (
        "run `python -m heiiki_agent.openadr describe > docs/reference/openapi.json`"
    )


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for ways in document["paths"].values():
        for operation in ways.values():
            yield operation["operationId"], operation


def test_it_is_an_openapi_description(described: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(described).validate()
    names = [name for name, _ in operations(described)]
    assert len(set(names)) == len(names)


def test_its_description_is_what_the_server_gives(
    tmp_path: Path, authority: Authority, running: list[Program], described: dict[str, Any]
) -> None:
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest())
    running.append(vtn)
    vtn.start()
    answer = Esp(vtn.rest_port, authority.issue(KANSAI), authority.issue(KANSAI)).ask(
        "GET", "/v1/openapi.json"
    )
    assert (answer.status, answer.document) == (HTTPStatus.OK, described)


class Watched:
    """Notes which answers of which operation came, each held against the description."""

    def __init__(self, document: dict[str, Any], systems: dict[str, Esp]) -> None:
        self._document, self._systems = document, systems
        self.seen: set[tuple[str, str]] = set()

    def ask(self, method: str, path: str, *values: str, by: str = KANSAI, **more: Any) -> Answer:
        """Ask at a path of the description; `query` and the parameters of the path are filled in."""
        operation = self._document["paths"][path][method.lower()]
        filled = path
        for value in values:
            head, _, rest = filled.partition("{")
            filled = head + value + rest.partition("}")[2]
        query = more.pop("query", "")
        answer = self._systems[by].ask(method, filled + query, **more)
        response = operation["responses"][str(answer.status)]
        schema = response["content"][answer.kind]["schema"]
        whole = {**schema, "components": self._document["components"]}
        Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(
            answer.document
        )
        self.seen.add((operation["operationId"], str(answer.status)))
        return answer


EVENTS, SHOWN, CANCEL = "/v1/events", "/v1/events/{event_id}", "/v1/events/{event_id}/cancel"
OPTS, REPORTS, SITES = "/v1/sites/{site}/opts", "/v1/sites/{site}/reports", "/v1/sites"
READS = ((SITES,), (OPTS, "umeda"), (REPORTS, "umeda"), (EVENTS,))
CHANGES = (("POST", EVENTS), ("GET", SHOWN, "nothing"), ("POST", CANCEL, "nothing"))
ALL = (*(("GET", *one) for one in READS), *CHANGES)


def test_every_answer_in_it_is_one_that_the_server_gives(
    tmp_path: Path, authority: Authority, running: list[Program], described: dict[str, Any]
) -> None:
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest(live_events=1))
    running.append(vtn)
    vtn.start()
    names = (KANSAI, "umeda.example")
    trust = authority.issue("nobody.example")
    watched = Watched(described, {name: Esp(vtn.rest_port, authority.issue(name), trust) for name in names})
    sent = watched.ask("POST", EVENTS, body=order("umeda"), key="order-0001")
    event_id = sent.document["event_id"]
    vtn.operate("POST", "/DRAS/events", event("by-hand", "umeda"))
    kept(tmp_path)
    (opt,) = watched.ask("GET", OPTS, "umeda").document["items"]
    assert opt["opt_id"] == "free"
    (report,) = watched.ask("GET", REPORTS, "umeda").document["items"]
    assert report["values"] == [
        {"r_id": "power", "start": "2026-04-01T09:00:00Z", "duration": "PT1M", "value": 1.5}
    ]
    done(watched, event_id)
    refused(watched, event_id)
    for one in ALL:
        watched.ask(*one, by="umeda.example")
    failed(watched, tmp_path)
    vtn.end(signal.SIGKILL)
    double(vtn)
    for one in ALL:
        answer = watched.ask(*one, **sendable(*one[:2]))
        assert (answer.status, answer.retry_after) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")
    vtn.end(signal.SIGKILL)
    limit(vtn)
    for one in ALL:
        while watched.ask(*one).status != HTTPStatus.TOO_MANY_REQUESTS:
            pass
    wanted = {(name, status) for name, one in operations(described) for status in one["responses"]}
    assert watched.seen == wanted - UNSEEN


def sendable(method: str, path: str) -> dict[str, Any]:
    return {"body": order("umeda"), "key": "order-0009"} if (method, path) == ("POST", EVENTS) else {}


def double(vtn: Vtn) -> None:
    """Give the VTN a second host, of which none has been made the writer, and begin again."""
    document = json.loads(vtn.config.read_text())
    peer = {"name": "dras-b.example", "address": "127.0.0.1", "port": free_port()}
    document["vtns"][0]["doubled"] = {"name": vtn.name, "port": free_port(), "peer": peer}
    vtn.config.write_text(json.dumps(document))
    vtn.start()


def limit(vtn: Vtn) -> None:
    """Let the API take a request a second and no more, and begin again."""
    document = json.loads(vtn.config.read_text())
    document["vtns"][0]["rest"] |= {"requests_per_s": 1, "burst": 1}
    vtn.config.write_text(json.dumps(document))
    vtn.start()


def done(watched: Watched, event_id: str) -> None:
    for path, *values in READS:
        assert watched.ask("GET", path, *values).status == HTTPStatus.OK
    assert watched.ask("GET", SHOWN, event_id).status == HTTPStatus.OK
    assert watched.ask("POST", CANCEL, event_id).status == HTTPStatus.OK
    assert watched.ask("POST", EVENTS, body=order("umeda"), key="order-0002").status == HTTPStatus.CREATED


def refused(watched: Watched, event_id: str) -> None:
    """Ask for what each operation refuses, all of it by the ESP that may ask."""
    for path, *values in READS[1:]:
        watched.ask("GET", path, *values, query="?limit=0")
    watched.ask("GET", OPTS, "nowhere")
    watched.ask("GET", REPORTS, "nowhere")
    watched.ask("GET", SHOWN, "nothing")
    watched.ask("POST", CANCEL, "nothing")
    watched.ask("POST", EVENTS, body=order("umeda", test=True), key="order-0001")
    watched.ask("POST", EVENTS, body=order("umeda"), key="order-0003")
    watched.ask("POST", EVENTS, body=b"{", key="order-0003")
    watched.ask("POST", EVENTS, body=order("nowhere"), key="order-0003")
    watched.ask("POST", EVENTS, body=b" " * (LIMIT + 1), key="order-0003")
    watched.ask("POST", EVENTS, body=b"{}", key="order-0003", **{"Content-Type": "text/plain"})
    assert watched.ask("GET", SHOWN, event_id).status == HTTPStatus.OK


def failed(watched: Watched, folder: Path) -> None:
    """Let every operation fail within: the book has lost its tables."""
    with closing(sqlite3.connect(folder / "vtn.sqlite")) as database:
        for table in ("rest_answer", "rest_event", "ven", "opt", "report"):
            database.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
    for method, path, *values in ALL:
        answer = watched.ask(method, path, *values, **sendable(method, path))
        assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
        assert answer.document["detail"].startswith("failed here; try again later")


def kept(folder: Path) -> None:
    """Put an opt and a report of the site into the book, as they stand there when its VEN has sent them."""
    at = datetime(2026, 4, 1, 9, tzinfo=UTC)
    payload = ReportPayload(r_id="power", value=PayloadFloat(value=1.5))
    interval = ReportInterval(start=at, duration=timedelta(minutes=1), payloads=(payload,))
    body = report_body(Report(intervals=(interval,), request_id="r", specifier_id="s", created=at))
    report = ("umeda", "r", stored(at), report_digest(body), body, stored(at))
    with closing(sqlite3.connect(folder / "vtn.sqlite")) as database, database:
        database.execute(
            "INSERT INTO report (ven_id, report_request_id, created, digest, body, received)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            report,
        )
        for opt_id, event_id in (("free", None), ("hidden", "by-hand")):
            database.execute(
                "INSERT INTO opt VALUES ('umeda', ?, 'optOut', ?, 0, x'00', ?, 0)",
                (opt_id, event_id, stored(at)),
            )


def test_a_body_that_does_not_arrive_is_not_waited_for(
    tmp_path: Path, authority: Authority, running: list[Program], described: dict[str, Any]
) -> None:
    vtn = Vtn(tmp_path, authority, ("umeda", "tenma"), rest())
    running.append(vtn)
    vtn.start()
    system = Esp(vtn.rest_port, authority.issue(KANSAI), authority.issue(KANSAI))
    answer = system.ask("POST", "/v1/events", b"{", "order-0001", **{"Content-Length": "100"})
    assert (answer.status, answer.kind) == (HTTPStatus.REQUEST_TIMEOUT, "application/problem+json")
    assert "408" in described["paths"]["/v1/events"]["post"]["responses"]
