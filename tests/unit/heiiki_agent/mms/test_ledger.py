"""An order is done once, however often it comes and wherever the program dies."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from heiiki_agent.database import Database
from heiiki_agent.mms.orders import Order, SetPoint
from heiiki_agent.mms.references import NOT_NOW, REFUSED, WRONG
from heiiki_agent.mms.server.ledger import SCHEMA, Ledger, Refused
from heiiki_agent.resource_socket import ResourceAwayError

ORDER = SetPoint(order_id="o-1", power_w=-5000.0)


class Killed(BaseException):
    """The process is gone."""


class Resource:
    """Does what comes twice under one name once."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.refuses = self.away = self.dies = False

    def __call__(self, order: Order) -> Refused | None:
        if self.away:
            raise ResourceAwayError("away")
        self.told.append(order.order_id)
        if self.dies:
            raise Killed
        return Refused(REFUSED, "too much") if self.refuses else None


@pytest.fixture
def resource() -> Resource:
    return Resource()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "book.sqlite", SCHEMA)
    yield made
    made.close()


@pytest.fixture
def ledger(database: Database, resource: Resource) -> Ledger:
    return Ledger(database, resource, lambda: datetime.now(UTC))


def test_an_order_that_comes_again_gets_the_same_answer_and_is_not_done_again(
    ledger: Ledger, resource: Resource
) -> None:
    assert [ledger.answer(ORDER), ledger.answer(ORDER)] == [None, None]
    assert resource.told == ["o-1"]


def test_a_refusal_is_an_answer_too(ledger: Ledger, resource: Resource) -> None:
    resource.refuses = True
    assert ledger.answer(ORDER) == REFUSED
    resource.refuses = False
    assert ledger.answer(ORDER) == REFUSED
    assert ledger.newest("set") is None


def test_another_order_of_the_same_name_is_refused(ledger: Ledger, resource: Resource) -> None:
    ledger.answer(ORDER)
    assert ledger.answer(SetPoint(order_id="o-1", power_w=1.0)) == WRONG
    assert resource.told == ["o-1"]


def test_a_resource_that_is_away_is_no_answer(ledger: Ledger, resource: Resource) -> None:
    resource.away = True
    assert ledger.answer(ORDER) == NOT_NOW
    resource.away = False
    assert ledger.answer(ORDER) is None


def test_one_that_died_before_it_answered_tells_the_resource_again_under_the_same_name(
    ledger: Ledger, database: Database, resource: Resource
) -> None:
    resource.dies = True
    with pytest.raises(Killed):
        ledger.answer(ORDER)
    resource.dies = False
    assert Ledger(database, resource, lambda: datetime.now(UTC)).answer(ORDER) is None
    assert set(resource.told) == {"o-1"}


def test_the_newest_order_is_what_was_done_last(ledger: Ledger) -> None:
    other = SetPoint(order_id="o-2", power_w=7000.0)
    ledger.answer(ORDER)
    ledger.answer(other)
    assert ledger.newest("set") == other
    assert ledger.newest("schedule") is None
