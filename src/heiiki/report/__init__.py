"""Verdicts and what they rest on: JSON, JUnit XML, the matrix, and a page for an auditor."""

from heiiki.report.completion import completeness, exit_code, expected_faults, expected_trust
from heiiki.report.faults import FaultRow, Gap
from heiiki.report.header import Header, Totals
from heiiki.report.page import Paths, network_svg, settle, write_report
from heiiki.report.store import EvidenceStore
from heiiki.report.table import Matrix, findings, matrix, text
from heiiki.report.verdicts import (
    earlier,
    merge,
    read_faults,
    read_verdicts,
    with_earlier_faults,
    write_faults,
    write_verdicts,
)

__all__ = [
    "EvidenceStore",
    "FaultRow",
    "Gap",
    "Header",
    "Matrix",
    "Paths",
    "Totals",
    "completeness",
    "earlier",
    "exit_code",
    "expected_faults",
    "expected_trust",
    "findings",
    "matrix",
    "merge",
    "network_svg",
    "read_faults",
    "read_verdicts",
    "settle",
    "text",
    "with_earlier_faults",
    "write_faults",
    "write_report",
    "write_verdicts",
]
