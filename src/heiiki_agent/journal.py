"""Log lines with the priority that the journal, and syslog behind it, keep of them (sd-daemon(3))."""

import logging
import os
import sys

_PRIORITIES = ((logging.CRITICAL, 1), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Of syslog (RFC 5424 6.2.1): what somebody has to act on at once is an alert."""


class Priorities(logging.Formatter):
    """Puts the priority before each line, where systemd takes it off again."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as lines, each with its priority."""
        priority = next((value for level, value in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def set_up(form: str) -> None:
    """Log to standard error as `form` says; with priorities where that leads to the journal."""
    handler = logging.StreamHandler()
    kind = Priorities if is_journal(sys.stderr.fileno()) else logging.Formatter
    handler.setFormatter(kind(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def is_journal(descriptor: int) -> bool:
    """Tell whether a descriptor is the stream that systemd says leads to the journal (systemd.exec(5))."""
    found = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"
