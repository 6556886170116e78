"""Which of many cases alike everybody who runs `make test` waits for."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def cases(every: Iterable[str], few: Collection[str]) -> list[Any]:
    """Return each case as a parameter of a test: `few` of them run in `make test`, all in `make long`."""
    marks = {True: pytest.mark.representative, False: pytest.mark.long}
    return [pytest.param(case, id=str(case), marks=marks[case in few]) for case in every]
