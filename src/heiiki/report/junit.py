"""JUnit XML: one test case a verdict, for tools that read nothing else."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from heiiki.report.header import Header
from heiiki.report.store import write_owned
from heiiki.report.verdicts import ordered
from heiiki.requirements import Result, Verdict
from heiiki.requirements.figures import against

# XML 1.0 section 2.2: these characters may not stand in a document, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_NO_TIME = "0"

_TAGS = {Result.FAIL: "failure", Result.UNKNOWN: "error", Result.NOT_APPLICABLE: "skipped"}


def write_junit(path: Path, header: Header, verdicts: Iterable[Verdict]) -> None:
    """Write one test case a verdict: fail is a failure, unknown an error, not applicable is skipped.

    Raises:
        EvidenceError: the file cannot be written.
    """
    root = junit(header, ordered(verdicts))
    ET.indent(root)
    write_owned(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def junit(header: Header, verdicts: tuple[Verdict, ...]) -> ET.Element:
    """Return the document for `verdicts`, whose totals are counted from them.

    Readers of the format want a time of each case. A verdict has none: many rest on one measurement.
    """
    totals = header.counting(verdicts).totals
    counts = {
        "name": _clean(header.service),
        "tests": str(totals.verdicts),
        "failures": str(totals.failed),
        "errors": str(totals.unknown),
    }
    root = ET.Element("testsuites", counts | {"time": _NO_TIME})
    more = {"skipped": str(totals.not_applicable), "timestamp": _clean(_local(header.generated))}
    suite = ET.SubElement(root, "testsuite", counts | more | {"time": _NO_TIME})
    _add_properties(suite, header)
    for verdict in verdicts:
        _add_case(suite, verdict)
    return root


def _local(time: str) -> str:
    """Return an ISO 8601 time as the format wants it: UTC, without an offset."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return time


def _add_properties(suite: ET.Element, header: Header) -> None:
    properties = ET.SubElement(suite, "properties")
    for name in ("tool_version", "intent_sha256", "machine"):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(getattr(header, name))})


def _add_case(suite: ET.Element, verdict: Verdict) -> None:
    names = {"classname": f"{verdict.requirement}.{verdict.stage}", "name": verdict.subject, "time": _NO_TIME}
    case = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in names.items()})
    figure = against(verdict.measured, verdict.bound, verdict.unit)
    rests_on = [f"{item.file} sha256:{item.sha256} {item.excerpt}".strip() for item in verdict.evidence]
    if verdict.result in _TAGS:
        message = {"message": _clean(verdict.reason), "type": _clean(verdict.clause)}
        found = ET.SubElement(case, _TAGS[verdict.result], message)
        # Several readers show this text alone.
        found.text = _lines(verdict.reason, figure, verdict.clause, *rests_on)
    if told := _lines(figure, *rests_on):
        ET.SubElement(case, "system-out").text = told


def _lines(*lines: str) -> str:
    return _clean("\n".join(line for line in lines if line))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
