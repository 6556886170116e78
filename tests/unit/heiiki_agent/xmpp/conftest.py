"""CAs of a test, and a server that says what the test wants."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from xmpp_fake import FakeServer
from xmpp_world import Authority, Issued, server_identity


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def own(authority: Authority) -> Issued:
    return authority.issue(server_identity())


@pytest.fixture
def fake(own: Issued) -> Iterator[Callable[..., FakeServer]]:
    made: list[FakeServer] = []

    def start(*arguments: Any, **options: Any) -> FakeServer:
        made.append(FakeServer(own, *arguments, **options))
        return made[-1]

    yield start
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def trusting(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    file = tmp_path_factory.mktemp("trust") / "trust.pem"
    file.write_text(authority.trust)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    return context
