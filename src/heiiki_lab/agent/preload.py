"""What a fork server loads before it forks, so that its children need not.

Every page of it is copied or mapped again in every fork, so it holds what a module of Ansible wants, no more.
"""

import gc
import hashlib
import importlib
import marshal
import os
import sys
import traceback
import types
import zipimport
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

# The standard library as a module of ansible-core 2.19 imports it (sys.modules after a run of `command` in a
# fresh interpreter), and the little that the collection's own modules want beside.
STANDARD = (
    "__future__",
    "argparse",
    "array",
    "ast",
    "atexit",
    "base64",
    "bisect",
    "bz2",
    "contextlib",
    "copy",
    "ctypes",
    "dataclasses",
    "datetime",
    "difflib",
    "dis",
    "encodings.cp437",
    "encodings.idna",
    "enum",
    "errno",
    "fcntl",
    "fnmatch",
    "functools",
    "gettext",
    "glob",
    "grp",
    "hashlib",
    "http.client",
    "importlib.machinery",
    "importlib.util",
    "inspect",
    "ipaddress",
    "itertools",
    "json",
    "locale",
    "logging",
    "lzma",
    "marshal",
    "math",
    "numbers",
    "pathlib",
    "pkgutil",
    "platform",
    "pwd",
    "random",
    "re",
    "runpy",
    "select",
    "selectors",
    "shlex",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "stat",
    "string",
    "stringprep",
    "struct",
    "subprocess",
    "syslog",
    "tempfile",
    "textwrap",
    "threading",
    "token",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "unicodedata",
    "urllib.parse",
    "warnings",
    "weakref",
    "zipfile",
    "zipimport",
    "zlib",
)

# What the programs of a device import of Debian's packages.
LIBRARIES = ("cryptography.x509", "cryptography.hazmat.primitives.asymmetric.ec")

# Of ansible.module_utils: these, and what they import. Of a release without them, children load their own.
ANSIBLE = (
    "ansible.module_utils.basic",
    "ansible.module_utils._internal._ansiballz._loader",
    "ansible.module_utils._internal._json._profiles._module_legacy_c2m",
    "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
)
CODE_CACHE = Path("/opt/heiiki/code")

_loaded_release = ""


class _FollowsPath:
    """A package's search path that is the module search path of the moment.

    Ansible puts the zip file that it has sent first on `sys.path`; what is not loaded yet comes from there.
    """

    def __init__(self, package: str) -> None:
        self._folder = package.replace(".", "/")

    def __iter__(self) -> Iterator[str]:
        return (f"{entry}/{self._folder}" for entry in sys.path)


def preload(ansible_parent: Path | None = None, ansible_release: str = "") -> None:
    """Load what children will want, and keep the collector from touching (so copying) shared pages later.

    Args:
        ansible_parent: folder that holds `ansible/module_utils`; None for no Ansible.
        ansible_release: the version of that Ansible.
    """
    for name in STANDARD:
        importlib.import_module(name)
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    if ansible_parent is not None:
        try:
            _load_ansible(ansible_parent, ansible_release)
        except Exception:  # noqa: BLE001 - a release that cannot be loaded ahead costs time, not the guest
            traceback.print_exc()
            _forget_ansible()
    _keep_compiled_code()
    gc.collect()
    gc.freeze()


def _load_ansible(parent: Path, release: str) -> None:
    global _loaded_release  # noqa: PLW0603 - one per process, as sys.modules is
    package = types.ModuleType("ansible")
    package.__file__ = str(parent / "ansible/__init__.py")
    package.__path__ = cast("list[str]", _FollowsPath("ansible"))
    sys.modules["ansible"] = package
    sys.path.insert(0, str(parent))
    try:
        for name in ANSIBLE:
            importlib.import_module(name)
    finally:
        sys.path.remove(str(parent))
    for name in _ansible_names():
        if hasattr(sys.modules[name], "__path__"):
            sys.modules[name].__path__ = cast("list[str]", _FollowsPath(name))
    _loaded_release = release


def forget_other_release(source: bytes) -> None:
    """Keep what is loaded of Ansible only for a module of that release; its arguments say which it is."""
    if not _loaded_release or f'"_ansible_version": "{_loaded_release}"'.encode() not in source:
        _forget_ansible()


def _forget_ansible() -> None:
    for name in _ansible_names():
        del sys.modules[name]


def _ansible_names() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "ansible"]


def _keep_compiled_code() -> None:
    """Compile what is imported from a zip file once for all nodes.

    Ansible sends its module_utils as source in a zip with every task; compiling them takes most of a small
    module's time. The cache is found by the source itself, so it can never be stale.
    """
    compile_source = getattr(zipimport, "_compile_source")  # noqa: B009 - private, so mypy knows it not

    def cached(pathname: str, source: bytes) -> types.CodeType:
        place = CODE_CACHE / hashlib.sha256(source).hexdigest()
        with suppress(OSError, ValueError, EOFError):
            return cast("types.CodeType", marshal.loads(place.read_bytes()))  # noqa: S302 - root's own
        code: types.CodeType = compile_source(pathname, source)
        with suppress(OSError):
            temporary = place.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(marshal.dumps(code))
            temporary.replace(place)
        return code

    setattr(zipimport, "_compile_source", cached)  # noqa: B010 - as above
