"""Routers of vendors are asked nothing, and what is not examined is unknown."""

from collections.abc import Sequence

import pytest
from vendor_service import mixed, router

from heiiki.errors import TransportError
from heiiki.requirements import Result, Stage
from heiiki.transport.base import Completed
from heiiki.verify.config.running import requirements_of
from heiiki.verify.routing.expected import expectations, path_ends
from heiiki.verify.run import _not_asked
from heiiki.verify.vendors import Examined, not_examined

CONFIG = ("config",)


class Recording:
    """A transport that notes whom it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.closed = False

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        self.asked.append((device, *argv))
        return Completed(0, stdin, str(timeout).encode())

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        self.asked.append((device, *argv))

    def close(self) -> None:
        self.closed = True


def test_a_router_of_a_vendor_is_not_asked_and_the_reason_says_so() -> None:
    plan, _ = mixed()
    name, _ = router("cisco_iosxe")
    below = Recording()
    way = Examined(plan, below)
    with pytest.raises(TransportError, match=f"{name}: Cisco IOS-XE is not examined by this release"):
        way.run(name, ("true",))
    with pytest.raises(TransportError, match="not examined"):
        way.spawn(name, ("true",))
    assert way.run("umeda-ce-a", ("cat",), stdin=b"x", timeout=2.0) == Completed(0, b"x", b"2.0")
    way.spawn("hub-ce-a", ("true",))
    way.close()
    assert (below.asked, below.closed) == ([("umeda-ce-a", "cat"), ("hub-ce-a", "true")], True)


def test_its_configuration_is_unknown_in_every_requirement_that_its_file_holds() -> None:
    plan, builds = mixed()
    found = tuple(_not_asked(plan, builds, CONFIG))
    by_hand = {build.device: build for build in builds if build.by_hand}
    assert {(item.subject, item.requirement) for item in found} == {
        (name, one) for name, build in by_hand.items() for one in requirements_of(build)
    }
    assert {(item.result, item.stage) for item in found} == {(Result.UNKNOWN, Stage.CONFIG)}
    assert all("is not examined by this release" in item.reason for item in found)
    assert not tuple(_not_asked(plan, builds, ("sessions",)))


def test_a_linux_router_is_examined() -> None:
    assert not_examined(mixed()[0].device("umeda-ce-a")) == ""


def test_the_health_of_paths_is_asked_of_those_that_can_be_asked() -> None:
    plan, _ = mixed()
    ends = path_ends(plan)
    assert {device.name for device in plan.by_hand()}.isdisjoint(ends)
    assert {"umeda-ce-a", "hub-ce-a"} <= set(ends) <= set(expectations(plan))
