"""Service EiReport (OpenADR 2.0b, report): what VENs offer is asked for, and each report is kept once."""

from datetime import timedelta

from heiiki_agent.openadr.errors import Code, Refused
from heiiki_agent.openadr.kept import new_id, report_body, report_digest, stored
from heiiki_agent.openadr.messages import (
    CanceledReport,
    CreatedReport,
    Message,
    RegisteredReport,
    RegisterReport,
    Response,
    UpdatedReport,
    UpdateReport,
)
from heiiki_agent.openadr.reports import Report, ReportRequest, SpecifierPayload
from heiiki_agent.openadr.vtn.context import Context, well

_TELEMETRY = ("METADATA_TELEMETRY_USAGE", "METADATA_TELEMETRY_STATUS")


def register(context: Context, ven_id: str, message: RegisterReport) -> Message:
    """Ask for every telemetry report that a VEN offers; one that was asked for keeps its reportRequestID."""
    wanted = [one for one in message.reports if one.name in _TELEMETRY and one.descriptions]
    return RegisteredReport(
        response=well(message.request_id),
        requests=tuple(_request(context, ven_id, one) for one in wanted),
        ven_id=ven_id,
    )


def _request(context: Context, ven_id: str, offered: Report) -> ReportRequest:
    context.database.execute(
        "INSERT INTO report_request VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        ven_id,
        offered.specifier_id,
        new_id(),
    )
    row = context.database.row(
        "SELECT report_request_id FROM report_request WHERE ven_id = ? AND specifier_id = ?",
        ven_id,
        offered.specifier_id,
    )
    assert row  # noqa: S101  # it is there since the statement before
    slowest = [one.sampling.least for one in offered.descriptions if one.sampling]
    return ReportRequest(
        request_id=row["report_request_id"],
        specifier_id=offered.specifier_id,
        granularity=max([context.identity.granularity, *slowest], default=timedelta(0)),
        report_back=context.identity.report_every,
        payloads=tuple(SpecifierPayload(r_id=one.r_id, reading=one.reading) for one in offered.descriptions),
    )


def acknowledged(_context: Context, ven_id: str, message: CreatedReport | CanceledReport) -> Message:
    """Take oadrCreatedReport and oadrCanceledReport, which say what will come: what comes shows it."""
    return Response(response=well(message.response.request_id), ven_id=ven_id)


def update(context: Context, ven_id: str, message: UpdateReport) -> Message:
    """Keep reports; one that is there already, whatever message brings it, is not kept again."""
    for one in message.reports:
        _keep(context, ven_id, one)
    return UpdatedReport(response=well(message.request_id), ven_id=ven_id)


def _keep(context: Context, ven_id: str, report: Report) -> None:
    if not context.database.row(
        "SELECT 1 FROM report_request WHERE ven_id = ? AND report_request_id = ?",
        ven_id,
        report.request_id,
    ):
        raise Refused(
            Code.INVALID_ID, f"reportRequestID {report.request_id} is not known; register the report first"
        )
    body = report_body(report)
    context.database.execute(
        "INSERT INTO report (ven_id, report_request_id, created, digest, body, received)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        ven_id,
        report.request_id,
        stored(report.created),
        report_digest(body),
        body,
        context.stamp(),
    )
