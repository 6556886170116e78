"""What is to be sent: each message with its requestID until the VTN has answered it."""

import logging
from collections.abc import Callable

from heiiki_agent.database import Row
from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.errors import Code, Malformed
from heiiki_agent.openadr.messages import SERVICES, Message, RequestReregistration
from heiiki_agent.openadr.ven.model import NotTaken, Unreachable, Ven

log = logging.getLogger(__name__)

_SERVICE = {kind: service for service, kinds in SERVICES.items() for kind in kinds}
_FINAL = frozenset(
    (
        Code.OUT_OF_SEQUENCE,
        Code.NOT_ALLOWED,
        Code.INVALID_ID,
        Code.NOT_RECOGNIZED,
        Code.INVALID_DATA,
        Code.COMPLIANCE_ERROR,
        "460",
        "461",
        "462",
    )
)
"""Codes that say the message itself is wrong: sent again it would be refused again."""
REGISTRATION = "registration:"


def queue(ven: Ven, about: str, message: Message) -> None:
    """Note a message to be sent; one `about` the same is there once, and is sent again as it was."""
    ven.database.execute(
        "INSERT INTO outbox (about, service, body, state, queued) VALUES (?, ?, ?, 'pending', ?)"
        " ON CONFLICT (about) DO UPDATE SET state = 'pending' WHERE state = 'done'",
        about,
        _SERVICE[type(message)],
        encode(message),
        ven.stamp(),
    )


def deliver(ven: Ven, answered: Callable[[Message], None]) -> None:
    """Send what is pending, registration first, then oldest first.

    Args:
        ven: whose outbox.
        answered: does what an answer asks for, in the transaction that marks the row.

    Raises:
        Unreachable: the VTN does not answer; what is left stays for the next time.
    """
    rows = ven.database.rows(
        "SELECT number, about, service, body FROM outbox WHERE state = 'pending'"
        " ORDER BY about NOT LIKE ?, number",
        f"{REGISTRATION}%",
    )
    for row in rows:
        try:
            answer = exchange(ven, row["service"], row["body"])
        except NotTaken as error:
            log.warning("%s is not taken yet: %s", row["about"], error)
            continue
        with ven.database.transaction():
            answered(answer)
            _mark(ven, row, answer)
        if isinstance(answer, RequestReregistration):
            return


def exchange(ven: Ven, service: str, body: bytes) -> Message:
    """Send a message and return the one that answers it.

    Raises:
        Unreachable: there is no answer, or none that can be read.
    """
    answer = ven.transport.exchange(service, body)
    try:
        return decode(answer)
    except Malformed as error:
        raise Unreachable(f"{service}: the answer cannot be read: {error.description}") from error


def _mark(ven: Ven, row: Row, answer: Message) -> None:
    response = getattr(answer, "response", None)
    code = response.code if response else ""
    if code.startswith("2"):
        state = "done"
    elif code in _FINAL:
        state = "refused"
        log.error("%s was refused: %s %r", row["about"], code, getattr(response, "description", ""))
    else:
        log.warning("%s is not taken yet: %s", row["about"], code or answer.NAME)
        return
    ven.database.execute("UPDATE outbox SET state = ?, code = ? WHERE number = ?", state, code, row["number"])
