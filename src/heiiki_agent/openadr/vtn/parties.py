"""Service EiRegisterParty (OpenADR 2.0b, registration): who is there."""

from heiiki_agent.openadr.errors import Code, Refused
from heiiki_agent.openadr.kept import new_id
from heiiki_agent.openadr.messages import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    Message,
    QueryRegistration,
)
from heiiki_agent.openadr.parts import EiResponse, Profile, Transport
from heiiki_agent.openadr.vtn.context import Context, Identity, well


def created(
    identity: Identity, response: EiResponse, ven_id: str | None = None, registration_id: str | None = None
) -> CreatedPartyRegistration:
    """Return what a VEN is told of this VTN."""
    return CreatedPartyRegistration(
        response=response,
        registration_id=registration_id,
        ven_id=ven_id,
        vtn_id=identity.vtn_id,
        profiles=(
            Profile(name="2.0b", transports=tuple(Transport(name=name) for name in identity.transports)),
        ),
        poll_every=identity.poll_every,
    )


def query(context: Context, _ven_id: str, message: QueryRegistration) -> Message:
    """Answer oadrQueryRegistration."""
    return created(context.identity, well(message.request_id))


def register(context: Context, ven_id: str, message: CreatePartyRegistration) -> Message:
    """Register a VEN; one that is registered keeps its registrationID."""
    offered = context.identity.transports
    if message.profile != "2.0b" or message.transport not in offered:
        raise Refused(Code.NOT_ALLOWED, f"this VTN speaks profile 2.0b over {' and '.join(offered)}")
    if message.transport == "simpleHttp" and not message.pull:
        raise Refused(Code.NOT_ALLOWED, "this VTN is polled; register with oadrHttpPullModel true")
    known = registration_of(context, ven_id)
    if message.registration_id not in (None, "", known):
        raise Refused(Code.INVALID_ID, "that registrationID is not known; register without it")
    if known is None:
        known = new_id()
        context.database.execute(
            "INSERT INTO ven VALUES (?, ?, ?, ?)", ven_id, known, message.ven_name or "", context.stamp()
        )
    return created(context.identity, well(message.request_id), ven_id, known)


def cancel(context: Context, ven_id: str, message: CancelPartyRegistration) -> Message:
    """End a registration; what the VEN has answered and reported stays."""
    if message.registration_id != registration_of(context, ven_id):
        raise Refused(Code.INVALID_ID, "that registrationID is not known")
    context.database.execute("DELETE FROM ven WHERE ven_id = ?", ven_id)
    return CanceledPartyRegistration(
        response=well(message.request_id), registration_id=message.registration_id, ven_id=ven_id
    )


def registration_of(context: Context, ven_id: str) -> str | None:
    """Return the registrationID of a VEN; None where it has none."""
    row = context.database.row("SELECT registration_id FROM ven WHERE ven_id = ?", ven_id)
    return str(row["registration_id"]) if row else None
