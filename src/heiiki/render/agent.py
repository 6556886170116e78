"""The device's own programs, as zip applications (PEP 441): one for every device, one for each service."""

import base64
import io
import zipfile
from collections.abc import Collection, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path, PurePosixPath
from types import ModuleType

import heiiki_agent
from heiiki.render.model import RenderedFile

PATH = "/usr/local/lib/heiiki/heiiki-agent.pyz"
_SHEBANG = b"#!/usr/bin/python3\n"
_START = "import sys\n\nfrom {} import main\n\nsys.exit(main(sys.argv[1:]))\n"
_BROUGHT = frozenset({"__init__.py", "ber.py", "data.py", "mms", "quality.py", "scl.py", "server"})
_SERVICE_PROGRAMS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "est": {},
    "mms": {"open61850": _BROUGHT},
    "openadr": {},
}
"""What only hosts of the service run, and what of which packages of pure Python each brings with it."""
_SERVED = ("https.py", "limits.py", "operate.py", "operator_socket.py", "serving.py")
"""Modules that service programs use which serve HTTPS and an operator."""
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "est": (*_SERVED, "pki"),
    "mms": ("serving.py",),
    "openadr": (*_SERVED, "ready.py", "xmpp"),
}
"""What of the package a service program uses beside `_SHARED`."""
_SHARED = (
    "__init__",
    "__main__",
    "config",
    "database",
    "errors",
    "files",
    "resource_socket",
    "status",
    "tls",
)
"""Modules of the package that a service program uses."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that the format can express."""


def command(*arguments: str) -> tuple[str, ...]:
    """Return the argument vector that runs a program of the application on a device."""
    return ("python3", PATH, *arguments)


def service_path(program: str) -> str:
    """Return where the application of a service program is on a device."""
    return f"/usr/local/lib/heiiki/heiiki-{program}.pyz"


def credentials(folder: Path) -> dict[str, str]:
    """Return what a service program reads its credentials from (`heiiki_agent.tls.Credentials`)."""
    files = {"certificate": "certificate.pem", "key": "key.pem", "trust": "trust.pem", "crls": "crl.pem"}
    return {name: str(folder / file) for name, file in files.items()}


@cache
def archive() -> bytes:
    """Return the application of every device."""
    apart = {*_SERVICE_PROGRAMS, *_SERVED}
    members = {path: text for path, text in _own().items() if _top(path) not in apart}
    return _archive(_inside(heiiki_agent, members), "heiiki_agent.__main__")


@cache
def service_archive(program: str) -> bytes:
    """Return the application of a service program, with what it shares with the others."""
    wanted = {program, *(f"{name}.py" for name in _SHARED), *_BESIDE.get(program, ())}
    members = {path: text for path, text in _own().items() if _top(path) in wanted}
    brought: dict[str, str] = {}
    for name, parts in _SERVICE_PROGRAMS[program].items():
        brought |= _brought(name, parts)
    return _archive(_inside(heiiki_agent, members) | brought, f"heiiki_agent.{program}.__main__")


@cache
def _own() -> Mapping[str, str]:
    return _sources(heiiki_agent)


def _sources(package: ModuleType) -> Mapping[str, str]:
    folder = Path(package.__path__[0])
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.py")
    }


def _inside(package: ModuleType, members: Mapping[str, str]) -> dict[str, str]:
    return {f"{package.__name__}/{path}": text for path, text in members.items()}


def _brought(name: str, parts: Collection[str]) -> dict[str, str]:
    """Return parts of a package, and the licences that must go wherever it goes."""
    package = import_module(name)
    licences = {
        f"{name}/{PurePosixPath(file).name}": file.read_text()
        for file in distribution(name).files or ()
        if "licenses" in file.parts
    }
    members = {path: text for path, text in _sources(package).items() if _top(path) in parts}
    return _inside(package, members) | licences


def _top(path: str) -> str:
    return path.partition("/")[0]


def _archive(sources: Mapping[str, str], start: str) -> bytes:
    """Return an application. The same sources give the same bytes: order and times are fixed.

    Members are stored uncompressed, because the output of zlib differs between its releases.
    """
    members = {**sources, "__main__.py": _START.format(start)}
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


@cache
def service_file(program: str) -> RenderedFile:
    """Return the application of a service program as a file of a device."""
    content = base64.b64encode(service_archive(program)).decode()
    return RenderedFile(service_path(program), content, "0755", encoding="base64")
