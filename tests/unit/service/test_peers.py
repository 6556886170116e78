"""The other ends of a router's sessions are asked: what stood before has to stand after."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from peer_answers import established
from vendor_service import mixed

from heiiki.errors import TransportError
from heiiki.fleet.model import Login, Outcome, Result, Target
from heiiki.service.peers import Peers, ends_of_lines
from heiiki.transport.base import Completed
from heiiki.verify.fleet import Fleet

ROUTER = "otemae-ce-a"
PEERS = ("a-pe2", "hub-ce-a", "otemae-gw-b")


class Network:
    """Answers as the peers' vtysh does; sessions and devices can be down."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.dead: set[str] = set()
        self.asked: list[str] = []

    def run(self, device: str, argv: Any, *, stdin: bytes = b"", timeout: float = 0.0) -> Completed:
        del argv, stdin, timeout
        self.asked.append(device)
        if device in self.dead:
            raise TransportError(f"{device}: no route")
        return established(device, self.down)

    def spawn(self, device: str, argv: Any) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.setattr("heiiki.service.peers._PAUSE_S", 0.01)
    return Network()


@pytest.fixture
def peers(network: Network) -> Iterator[Peers]:
    with ThreadPoolExecutor(4) as pool:
        made = Peers(mixed()[0], Fleet(network, pool), 0.05)
        made._noticed_s = 0.0
        yield made


def down(peers: Peers) -> str:
    return asyncio.run(peers.test(Target(ROUTER, "cisco_iosxe", "x", Login("u"), "")))


def notices(peers: Peers) -> tuple[str, ...]:
    return peers.noted(Result(ROUTER, Outcome.CHANGED)).notices


def test_its_peers_are_asked_and_say_that_all_sessions_stand(peers: Peers, network: Network) -> None:
    peers.before([ROUTER])
    assert sorted(network.asked) == sorted(PEERS)
    assert down(peers) == ""
    assert notices(peers) == ()


@pytest.mark.parametrize("peer", PEERS)
def test_a_session_that_stood_and_does_not_any_more_fails(peers: Peers, network: Network, peer: str) -> None:
    peers.before([ROUTER])
    network.down = {peer}
    said = down(peers)
    assert said.startswith(f"{peer}: BGP with {ROUTER} (")
    assert ") is Active" in said
    assert peers.wave([Result(ROUTER, Outcome.CHANGED)]) == said
    network.down = set()
    assert down(peers) == ""


def test_a_session_that_comes_back_in_time_is_none_that_is_lost(peers: Peers, network: Network) -> None:
    peers.before([ROUTER])
    peers._wait_s = 60.0
    network.down = {"a-pe2"}
    real = network.run

    def comes_back(*arguments: Any, **more: Any) -> Completed:
        answer = real(*arguments, **more)
        network.down = set()
        return answer

    network.run = comes_back  # type: ignore[method-assign]
    assert down(peers) == ""


def test_a_session_that_did_not_stand_before_decides_nothing_and_is_told(
    peers: Peers, network: Network
) -> None:
    network.down = {"a-pe2"}
    peers.before([ROUTER])
    assert down(peers) == ""
    (notice,) = notices(peers)
    assert notice.startswith(f"not tested from elsewhere: a-pe2: BGP with {ROUTER} (")


def test_a_peer_that_cannot_be_asked_is_unknown_and_one_that_dies_is_a_failure(
    peers: Peers, network: Network
) -> None:
    network.dead = {"a-pe2"}
    peers.before([ROUTER])
    assert down(peers) == ""
    assert notices(peers) == ("not tested from elsewhere: a-pe2: no route",)
    network.dead = {"hub-ce-a"}
    assert down(peers) == "hub-ce-a: no route"


def test_without_anybody_to_ask_nothing_is_tested_and_this_is_said() -> None:
    peers = Peers(mixed()[0], None, 0.0, "no lab is up")
    peers.before([ROUTER])
    assert down(peers) == ""
    assert notices(peers) == ("not tested from elsewhere: no lab is up",)


def test_every_link_session_and_connection_has_two_ends() -> None:
    found = set(ends_of_lines(mixed()[0]))
    assert frozenset((ROUTER, "a-pe2")) in found
    assert frozenset((ROUTER, "hub-ce-a")) in found
    assert frozenset((ROUTER, "otemae-gw-b")) in found
    assert all(len(ends) == 2 for ends in found)
