"""What a device is answered that gets no certificate: a status of HTTP, and a sentence (RFC 7030 4.2.3)."""

from http import HTTPStatus

AGAIN_S = 30
"""When a device is told to come again while the Vault server does not serve, seconds."""


class Refused(Exception):  # noqa: N818  # what is said to the device; not a fault of this program
    """A request that is answered by an error.

    Attributes:
        status: of the answer.
        text: what is wrong and what to do; holds no secret.
        retry_after_s: in how many seconds to come again; None: that changes nothing.
    """

    def __init__(self, status: HTTPStatus, text: str, retry_after_s: int | None = None) -> None:
        """Say why."""
        super().__init__(text)
        self.status, self.text, self.retry_after_s = status, text, retry_after_s


def unauthorised(text: str) -> Refused:
    """Return the refusal of a device that has not proved who it is."""
    return Refused(HTTPStatus.UNAUTHORIZED, text)


def not_here(text: str) -> Refused:
    """Return the refusal of a device that is to come again later."""
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, text, AGAIN_S)
