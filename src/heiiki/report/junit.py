"""JUnit XML: one test case a verdict, for tools that read nothing else."""

import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

from heiiki.report.header import Header
from heiiki.report.store import write_atomically
from heiiki.report.verdicts import ordered
from heiiki.requirements import Result, Verdict
from heiiki.requirements.figures import against

# XML 1.0 section 2.2: these characters may not stand in a document, not even as references.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_TAGS = {Result.FAIL: "failure", Result.UNKNOWN: "error", Result.NOT_APPLICABLE: "skipped"}


def write_junit(path: Path, header: Header, verdicts: Iterable[Verdict]) -> None:
    """Write one test case a verdict: fail is a failure, unknown an error, not applicable is skipped.

    Raises:
        EvidenceError: the file cannot be written.
    """
    root = junit(header, ordered(verdicts))
    ET.indent(root)
    write_atomically(path, ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def junit(header: Header, verdicts: tuple[Verdict, ...]) -> ET.Element:
    """Return the document for `verdicts`, whose totals are counted from them."""
    totals = header.counting(verdicts).totals
    counts = {
        "name": _clean(header.service),
        "tests": str(totals.verdicts),
        "failures": str(totals.failed),
        "errors": str(totals.unknown),
        "skipped": str(totals.not_applicable),
    }
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", counts | {"timestamp": _clean(header.generated)})
    _add_properties(suite, header)
    for verdict in verdicts:
        _add_case(suite, verdict)
    return root


def _add_properties(suite: ET.Element, header: Header) -> None:
    properties = ET.SubElement(suite, "properties")
    for name in ("tool_version", "intent_sha256", "machine"):
        ET.SubElement(properties, "property", {"name": name, "value": _clean(getattr(header, name))})


def _add_case(suite: ET.Element, verdict: Verdict) -> None:
    names = {"classname": f"{verdict.requirement}.{verdict.stage}", "name": verdict.subject}
    case = ET.SubElement(suite, "testcase", {key: _clean(value) for key, value in names.items()})
    figure = against(verdict.measured, verdict.bound, verdict.unit)
    if verdict.result in _TAGS:
        ET.SubElement(
            case, _TAGS[verdict.result], {"message": _clean(verdict.reason), "type": verdict.clause}
        )
    told = [
        figure,
        *(f"{item.file} sha256:{item.sha256} {item.excerpt}".strip() for item in verdict.evidence),
    ]
    lines = [line for line in told if line]
    if lines:
        ET.SubElement(case, "system-out").text = _clean("\n".join(lines))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
