"""What a VEN reports (OpenADR 2.0b, service EiReport): each slot of a report is measured and queued once."""

import json
from collections.abc import Sequence
from datetime import timedelta

from heiiki_agent.openadr.kept import new_id, stored
from heiiki_agent.openadr.messages import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    RegisterReport,
    UpdateReport,
)
from heiiki_agent.openadr.parts import EiResponse
from heiiki_agent.openadr.reports import (
    PayloadFloat,
    Report,
    ReportDescription,
    ReportInterval,
    ReportPayload,
    ReportRequest,
    SamplingRate,
)
from heiiki_agent.openadr.values import parse_date_time
from heiiki_agent.openadr.ven.model import Ven
from heiiki_agent.openadr.ven.outbox import queue

SPECIFIER = "telemetry"
_SAMPLING = SamplingRate(least=timedelta(seconds=1), most=timedelta(days=1), on_change=False)


def offer(ven: Ven, ven_id: str, registration_id: str) -> None:
    """Register what the resource can report."""
    if not ven.offers:
        return
    report = Report(
        descriptions=tuple(
            ReportDescription(
                r_id=one.r_id, kind=one.kind, item=one.item, reading=one.reading, sampling=_SAMPLING
            )
            for one in ven.offers
        ),
        request_id="0",
        specifier_id=SPECIFIER,
        name="METADATA_TELEMETRY_USAGE",
        created=ven.now(),
    )
    message = RegisterReport(request_id=new_id(), reports=(report,), ven_id=ven_id)
    queue(ven, f"offer:{registration_id}", message)


def accept(ven: Ven, ven_id: str, request_id: str, requests: Sequence[ReportRequest]) -> None:
    """Note the reports that the VTN asks for, and say so."""
    for one in requests:
        ven.database.execute(
            "INSERT INTO report_request VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            one.request_id,
            one.specifier_id,
            json.dumps([payload.r_id for payload in one.payloads]),
            int(one.report_back.total_seconds()),
            ven.stamp(),
        )
    pending = [row["report_request_id"] for row in ven.database.rows("SELECT * FROM report_request")]
    queue(
        ven,
        f"created-report:{request_id}",
        CreatedReport(
            response=EiResponse(description="OK", request_id=request_id),
            pending=tuple(pending),
            ven_id=ven_id,
        ),
    )


def cancel(ven: Ven, ven_id: str, message: CancelReport) -> None:
    """Stop reports that are no longer wanted, and say so."""
    for one in message.report_request_ids:
        ven.database.execute("DELETE FROM report_request WHERE report_request_id = ?", one)
    pending = [row["report_request_id"] for row in ven.database.rows("SELECT * FROM report_request")]
    response = EiResponse(description="OK", request_id=message.request_id)
    answer = CanceledReport(response=response, pending=tuple(pending), ven_id=ven_id)
    queue(ven, f"canceled-report:{message.request_id}", answer)


def measure(ven: Ven, ven_id: str) -> None:
    """Measure what is due, and queue a report of it in the transaction that sets the next time.

    Slots that passed while the VEN was away are not made up: what was not measured then is not known.

    Raises:
        Unreachable: the resource does not answer.
    """
    rows = ven.database.rows("SELECT * FROM report_request WHERE due <= ?", ven.stamp())
    for row in rows:
        values = {r_id: ven.resource.measure(r_id) for r_id in json.loads(row["r_ids"])}
        now = ven.now()
        report = Report(
            intervals=(
                ReportInterval(
                    start=now,
                    payloads=tuple(
                        ReportPayload(r_id=r_id, value=PayloadFloat(value=value))
                        for r_id, value in values.items()
                    ),
                ),
            ),
            report_id=new_id(),
            request_id=row["report_request_id"],
            specifier_id=row["specifier_id"],
            name="TELEMETRY_USAGE",
            created=now,
        )
        with ven.database.transaction():
            message = UpdateReport(request_id=new_id(), reports=(report,), ven_id=ven_id)
            queue(ven, f"report:{row['report_request_id']}:{row['due']}", message)
            if not row["every_s"]:
                # A reportBackDuration of zero: once.
                ven.database.execute(
                    "DELETE FROM report_request WHERE report_request_id = ?", row["report_request_id"]
                )
            due, every = parse_date_time(row["due"]), timedelta(seconds=row["every_s"] or 1)
            after = due + every * ((now - due) // every + 1)
            ven.database.execute(
                "UPDATE report_request SET due = ? WHERE report_request_id = ?",
                stored(after),
                row["report_request_id"],
            )
