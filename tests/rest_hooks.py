"""What schemathesis is told besides the description of the REST API: see its test."""

from datetime import datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import positive_data_acceptance

_BAD_REQUEST = 400
_OF_THE_FORM = ("body: ", "limit: ", "Idempotency-Key: ", "Content-Type: ")


# What the description narrows besides, its patterns, would be found by trying only.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(min_value=datetime(1970, 1, 1)).map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}"),  # noqa: DTZ001
)
schemathesis.openapi.format(
    "duration", st.from_regex(r"P([0-9]{1,6}W|[0-9]{1,6}DT[0-9]{1,6}M)", fullmatch=True)
)


@schemathesis.check
def good_forms_are_taken(ctx: Any, response: Any, case: Any) -> None:
    """Stand in for the tool's own check, which cannot know the time, nor what a list has.

    What has the form of the description may be refused for what it says; for its form never.
    """
    if response.status_code == _BAD_REQUEST and response.json()["detail"].startswith(_OF_THE_FORM):
        positive_data_acceptance(ctx, response, case)
