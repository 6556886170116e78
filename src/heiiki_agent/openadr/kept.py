"""How both ends keep things: names, times and events as they stand in the tables."""

import hashlib
import uuid
from datetime import datetime
from functools import lru_cache

from heiiki_agent.openadr.codec import decode, encode
from heiiki_agent.openadr.events import Event
from heiiki_agent.openadr.messages import DistributeEvent, Message, UpdateReport
from heiiki_agent.openadr.reports import Report
from heiiki_agent.openadr.values import format_date_time


def new_id() -> str:
    """Return a name that has not been given before."""
    return uuid.uuid4().hex


def stored(moment: datetime) -> str:
    """Return a time in UTC with microseconds; such texts are of one length and compare as the times do."""
    return format_date_time(moment.replace(microsecond=0)).replace("Z", f".{moment.microsecond:06}Z")


def digest(message: Message) -> str:
    """Return what tells one message from another, however it is written and signed."""
    return hashlib.sha256(encode(message)).hexdigest()


def report_body(report: Report) -> bytes:
    """Return a report as it is kept, whatever message brought it."""
    return encode(UpdateReport(request_id="", reports=(report,)))


def report_digest(body: bytes) -> str:
    """Return what tells a report from every other, of its body as it is kept."""
    return hashlib.sha256(body).hexdigest()


def packed(one: Event) -> bytes:
    """Return an event as it is kept.

    Raises:
        ValueError: a value does not fit the schema.
    """
    return encode(DistributeEvent(request_id="", vtn_id="", events=(one,)))


@lru_cache(maxsize=256)
def unpacked(body: bytes) -> Event:
    """Return an event that was kept; one for a thousand VENs is read once."""
    message = decode(body)
    assert isinstance(message, DistributeEvent)  # noqa: S101  # written by `packed`
    return message.events[0]
