"""The device's own programs, as one zip application (PEP 441) that every device is sent."""

import base64
import io
import zipfile
from functools import cache
from pathlib import Path

import heiiki_agent
from heiiki.render.model import RenderedFile

PATH = "/usr/local/lib/heiiki/heiiki-agent.pyz"
_SHEBANG = b"#!/usr/bin/python3\n"
_START = "import sys\n\nfrom heiiki_agent.__main__ import main\n\nsys.exit(main(sys.argv[1:]))\n"
_SERVICE_PROGRAMS = ("openadr",)
"""What only hosts of the service run, and what needs packages that other devices do not have."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format can express."""


def command(*arguments: str) -> tuple[str, ...]:
    """Return the argument vector that runs a program of the application on a device."""
    return ("python3", PATH, *arguments)


@cache
def archive() -> bytes:
    """Return the application. The same sources give the same bytes: order and times are fixed.

    Members are stored uncompressed, because the output of zlib differs between its releases.
    """
    package = Path(heiiki_agent.__file__).parent
    members = {
        f"heiiki_agent/{path.relative_to(package).as_posix()}": path.read_text(encoding="utf-8")
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in _SERVICE_PROGRAMS
    }
    members["__main__.py"] = _START
    out = io.BytesIO(_SHEBANG)
    out.seek(0, io.SEEK_END)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_STORED) as application:
        for name, text in sorted(members.items()):
            application.writestr(_member(name), text)
    return out.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.create_system = 3  # Unix, on whatever system it is made
    member.external_attr = 0o100644 << 16
    return member


@cache
def file() -> RenderedFile:
    """Return the application as a file of a device."""
    return RenderedFile(PATH, base64.b64encode(archive()).decode(), "0755", encoding="base64")
