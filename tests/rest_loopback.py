"""A VTN with a REST API on loopback, and the systems of ESPs that use it."""

import datetime as dt
import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from free_ports import free_port
from openadr_loopback import VTN_NAME

from heiiki_agent.tls import Credentials, client_context

SITES = {"umeda": "umeda", "tenma": "tenma"}
"""venID of each site."""


def rest(**changes: Any) -> dict[str, Any]:
    """An API for two ESPs: `kansai` for both sites, `denki` for one."""
    esps = [
        {"name": "kansai", "certificate_name": "esp-kansai.example", "sites": ["tenma", "umeda"]},
        {"name": "denki", "certificate_name": "esp-denki.example", "sites": ["umeda"]},
    ]
    # As in service: it is set higher where a test sends more.
    return {
        "port": free_port(),
        "sites": SITES,
        "esps": esps,
        "requests_per_s": 1000,
        "burst": 1000,
    } | changes


def order(*sites: str, **changes: Any) -> dict[str, Any]:
    """An event of an hour that begins in an hour."""
    start = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    steps = [{"duration": "PT1H", "value": -5.0}]
    return {
        "sites": list(sites),
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration": "PT1H",
        "signals": [{"name": "LOAD_DISPATCH", "kind": "setpoint", "steps": steps}],
        **changes,
    }


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    kind: str
    body: bytes
    retry_after: str | None = None

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Esp:
    """The system of an ESP: a connection for each request."""

    def __init__(self, port: int, credentials: Credentials | None, trust: Credentials) -> None:
        self.port = port
        if credentials is not None:
            self.context = client_context(credentials)
        else:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.load_verify_locations(trust.trust)

    def ask(self, method: str, path: str, body: Any = None, key: str = "", **headers: str) -> Answer:
        """Send a request, and return what comes back; a document is sent as JSON, bytes as they are."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        wanted = {"Content-Type": "application/json"} if data is not None else {}
        wanted |= {"Idempotency-Key": key} if key else {}
        line = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        with self.context.wrap_socket(line, server_hostname=VTN_NAME) as tls:
            connection = http.client.HTTPConnection("localhost")
            connection.sock = tls
            connection.request(method, path, data, {**wanted, **headers})
            with connection.getresponse() as response:
                assert response.headers["Server"] is None, "what answers, and of which version, is told"
                return Answer(
                    response.status,
                    response.headers.get_content_type(),
                    response.read(),
                    response.headers["Retry-After"],
                )

    def send(self, key: str, *sites: str, **changes: Any) -> Answer:
        return self.ask("POST", "/v1/events", order(*sites, **changes), key)
