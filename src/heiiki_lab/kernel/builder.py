"""Builds the guest's kernel once and caches it by the hash of what goes in.

The build runs in a private Debian 12 tree: its C library is the oldest one supported, so the kernel starts on
Debian 12 and later, and nothing is asked of the user's own compiler. Tree and source are deleted afterwards.
"""

import shutil
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from heiiki.errors import LabError
from heiiki_lab import build
from heiiki_lab.build import Report
from heiiki_lab.kernel import options, source
from heiiki_lab.root import mmdebstrap, privileged

_BUILD_SUITE = "bookworm"
_BUILD_PACKAGES = ("bc", "bison", "flex", "gcc", "libc6-dev", "make", "xz-utils")
_BUILD_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*")
_NOT_IN_ARCHIVE = 3
_OBJECTS = 1700
"""How many lines `make` prints for the whole kernel: only the progress line depends on it."""


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What goes in: the pinned source, the options, and the steps."""

    lock: source.Source
    asked: tuple[options.Option, ...]
    script: str

    def key(self, version: source.Version) -> str:
        """Name in the cache of the kernel made from `version`."""
        build_tree = (_BUILD_SUITE, *_BUILD_PACKAGES)
        return build.digest([version.sha256, options.fragment(self.asked), self.script, *build_tree])


@dataclass(frozen=True, slots=True)
class _Site:
    """One build in progress: the build tree, the kernel's folder in the cache, the log, and who is told."""

    folder: Path
    tree: Path
    log: Path
    report: Report

    def step(self, name: str, *arguments: str, online: bool = False, allowed: tuple[int, ...] = (0,)) -> int:
        """Run one step of the recipe inside the build tree; `compile` tells its progress."""
        command = privileged.inside(self.tree, "sh", "/recipe.sh", name, *arguments, online=online)
        progress = self._compiled if name == "compile" else None
        return build.run(command, self.log, self.report, progress, allowed=allowed)

    def _compiled(self, seconds: float) -> str:
        done = sum(line.startswith("  ") for line in self.log.read_text(errors="replace").splitlines())
        return f"kernel: {done} of about {_OBJECTS} files compiled, {seconds:.0f} s"


def ensure(cache: Path, report: Report) -> Path:
    """Give the guest's kernel, building it first if the cache does not hold it.

    Args:
        cache: folder that everything is kept under.
        report: takes the lines that tell what is going on.

    Returns:
        Path of the kernel, an ordinary program: `CACHE/kernel/<hash>/linux`.

    Raises:
        LabError: the source cannot be had, an option did not hold, or a step failed.
    """
    recipe = _recipe()
    folder = cache / "kernel"
    if ready := _ready(folder, recipe):
        return ready
    with build.exclusive(folder, report):
        return _ready(folder, recipe) or _build(cache, recipe, report)


def _recipe() -> _Recipe:
    here = files("heiiki_lab.kernel")
    return _Recipe(
        source.parse(here.joinpath("source.lock").read_text()),
        options.parse(here.joinpath("options").read_text()),
        here.joinpath("recipe.sh").read_text(),
    )


def _ready(folder: Path, recipe: _Recipe) -> Path | None:
    """The kernel of the best accepted version that is in the cache."""
    candidates = (folder / recipe.key(version) / "linux" for version in recipe.lock.versions)
    return next((linux for linux in candidates if linux.is_file()), None)


def _build(cache: Path, recipe: _Recipe, report: Report) -> Path:
    start = time.monotonic()
    log = build.fresh_log(cache, "kernel")
    report(f"building the lab's kernel, once: usually 5 to 8 minutes on two cores; log: {log}")
    site = _Site(cache / "kernel", cache / "kernel" / "partial", log, report)
    _clear(site)
    try:
        _bootstrap(site, recipe)
        version = _fetch(site, recipe.lock)
        _compile(site, recipe)
        linux = _keep(site, recipe.key(version))
    finally:
        _clear(site)
    report(f"kernel {version.version} is ready after {time.monotonic() - start:.0f} s: {linux}")
    return linux


def _clear(site: _Site) -> None:
    """Delete the build tree, also the one that a killed run left."""
    if site.tree.exists():
        build.run(privileged.remove(site.tree), site.log, site.report)


def _bootstrap(site: _Site, recipe: _Recipe) -> None:
    site.report("kernel: making a private Debian 12 tree to build in (half a minute)")
    with build.scratch(site.folder) as work:
        (work / "recipe.sh").write_text(recipe.script)
        (work / "options.config").write_text(options.fragment(recipe.asked))
        tree = privileged.Tree(
            suite=_BUILD_SUITE,
            packages=_BUILD_PACKAGES,
            target=site.tree,
            mirror=mmdebstrap.mirror(),
            hooks=[f"copy-in {work / 'recipe.sh'} {work / 'options.config'} /"],
            excluded=_BUILD_EXCLUDED,
        )
        tools = mmdebstrap.fetch(work / "tools", site.log, site.report)
        build.run(privileged.bootstrap(tools, tree), site.log, site.report)


def _fetch(site: _Site, wanted: source.Source) -> source.Version:
    """Fetch and unpack the first accepted version that the archive has."""
    site.report(f"kernel: fetching {wanted.package} (160 MB) and unpacking it (20 s)")
    site.step("sources", wanted.suite, online=True)
    for version in wanted.versions:
        pinned = (wanted.package, version.version, version.sha256, str(version.size))
        if site.step("fetch", *pinned, online=True, allowed=(0, _NOT_IN_ARCHIVE)) == 0:
            return version
    accepted = ", ".join(version.version for version in wanted.versions)
    raise LabError(
        f"{wanted.package}: {wanted.suite} of the Debian archive has none of the versions {accepted}; "
        f"set HEIIKI_DEBIAN_MIRROR to a mirror that has one, or accept a newer one in kernel/source.lock; "
        f"the log is {site.log}"
    )


def _compile(site: _Site, recipe: _Recipe) -> None:
    site.step("configure")
    missing = options.not_held(recipe.asked, (site.tree / "src" / ".config").read_text())
    if missing:
        names = "; ".join(str(option) for option in missing)
        raise LabError(
            f"kernel options: the configuration does not hold: {names}; "
            "ask for what they depend on too, or drop them from kernel/options"
        )
    site.report("kernel: compiling (usually 4 to 7 minutes on two cores)")
    site.step("compile", str(build.jobs()))


def _keep(site: _Site, key: str) -> Path:
    """Put the finished kernel into the cache, whole or not at all."""
    place = site.folder / key
    with build.scratch(site.folder) as work:
        finished = work / key
        finished.mkdir()
        shutil.copy(site.tree / "src" / "linux", finished / "linux")
        shutil.copy(site.tree / "src" / ".config", finished / "config")
        finished.rename(place)
    return place / "linux"
