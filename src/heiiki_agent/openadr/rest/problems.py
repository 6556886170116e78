"""What is refused, as RFC 9457 says it: what is wrong, where, and what to do."""

import json
from dataclasses import asdict, dataclass
from http import HTTPStatus

CONTENT_TYPE = "application/problem+json"
_LONGEST = 2_000


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a request was not done; nothing has changed (RFC 9457).

    Attributes:
        type: which kind of problem it is, a URI.
        title: the same in words.
        status: the status of the answer.
        detail: where it is, and what to do.
    """

    type: str
    title: str
    status: int
    detail: str


class RefusedError(Exception):
    """A request that is answered by a problem."""

    def __init__(self, status: HTTPStatus, detail: str, retry_after_s: int | None = None) -> None:
        """Say why; `retry_after_s` where the same request may be good later."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def written(status: HTTPStatus, detail: str) -> bytes:
    """Return a problem as JSON; of a long detail the beginning, since a peer may have written most of it."""
    kind = status.phrase.lower().replace(" ", "-")
    problem = Problem(
        type=f"urn:heiiki:problem:{kind}", title=status.phrase, status=status, detail=detail[:_LONGEST]
    )
    return json.dumps(asdict(problem)).encode()
