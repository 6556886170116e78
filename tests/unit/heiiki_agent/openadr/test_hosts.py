"""A VEN whose VTN has several hosts asks the one that answered last, and tells of all that do not answer."""

import pytest

from heiiki_agent.openadr.ven.hosts import Hosts
from heiiki_agent.openadr.ven.model import NotServing, NotTaken, Unreachable


class Host:
    """Answers with its name, or fails as it is told."""

    def __init__(self, name: str, problem: Unreachable | None = None) -> None:
        self.name, self.problem, self.asked = name, problem, 0

    def exchange(self, _service: str, _body: bytes) -> bytes:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return self.name.encode()


def test_the_one_that_answered_last_is_asked_first() -> None:
    first, second = Host("a", NotServing("a is the standby of b")), Host("b")
    hosts = Hosts((first, second))
    assert [hosts.exchange("OadrPoll", b"") for _ in range(3)] == [b"b"] * 3
    assert (first.asked, second.asked) == (1, 3)
    first.problem, second.problem = None, Unreachable("b does not answer")
    assert hosts.exchange("OadrPoll", b"") == b"a"


def test_where_none_answers_each_is_named() -> None:
    hosts = Hosts((Host("a", Unreachable("a is away")), Host("b", NotServing("b is the standby of a"))))
    with pytest.raises(Unreachable, match=r"^a is away; b is the standby of a$"):
        hosts.exchange("OadrPoll", b"")


def test_a_message_that_failed_at_the_one_that_serves_is_sent_to_no_other() -> None:
    second = Host("b")
    with pytest.raises(NotTaken):
        Hosts((Host("a", NotTaken("HTTP 500")), second)).exchange("OadrPoll", b"")
    assert second.asked == 0
