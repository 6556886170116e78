"""Service EiOpt (OpenADR 2.0b, opt): a VEN that changes its mind, or says when it is available."""

from heiiki_agent.openadr.codec import encode
from heiiki_agent.openadr.errors import Code, Refused
from heiiki_agent.openadr.messages import CanceledOpt, CancelOpt, CreatedOpt, CreateOpt, Message
from heiiki_agent.openadr.vtn.context import Context, well


def create(context: Context, ven_id: str, message: CreateOpt) -> Message:
    """Keep an opt."""
    about = message.event
    if about and not context.database.row(
        "SELECT 1 FROM event_version JOIN event_target USING (event_id)"
        " WHERE ven_id = ? AND event_id = ? AND modification = ?",
        ven_id,
        about.event_id,
        about.modification,
    ):
        raise Refused(Code.INVALID_ID, f"event {about.event_id} version {about.modification} is not known")
    new = context.database.execute(
        "INSERT INTO opt VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING",
        ven_id,
        message.opt_id,
        message.opt,
        about.event_id if about else None,
        about.modification if about else None,
        encode(message),
        context.stamp(),
    )
    if not new:
        raise Refused(
            Code.INVALID_ID, f"opt {message.opt_id} is there already; give each opt an optID of its own"
        )
    return CreatedOpt(response=well(message.request_id), opt_id=message.opt_id)


def cancel(context: Context, ven_id: str, message: CancelOpt) -> Message:
    """Take an opt back."""
    if not context.database.execute(
        "UPDATE opt SET cancelled = 1 WHERE ven_id = ? AND opt_id = ?", ven_id, message.opt_id
    ):
        raise Refused(Code.INVALID_ID, f"opt {message.opt_id} is not known")
    return CanceledOpt(response=well(message.request_id), opt_id=message.opt_id)
