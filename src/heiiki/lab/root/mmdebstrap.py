"""mmdebstrap without installing it: the package is fetched by apt and run from an unpacked folder."""

import os
from pathlib import Path

from heiiki.errors import LabError
from heiiki.lab import build
from heiiki.lab.build import Report
from heiiki.lab.root.privileged import Tools

MIRROR_VARIABLE = "HEIIKI_DEBIAN_MIRROR"
_PACKAGES = ("mmdebstrap", "debian-archive-keyring")


def mirror() -> str | None:
    """The Debian mirror that the user names in HEIIKI_DEBIAN_MIRROR; None for mmdebstrap's own choice."""
    return os.environ.get(MIRROR_VARIABLE) or None


def fetch(folder: Path, log: Path, report: Report) -> Tools:
    """Fetch mmdebstrap and Debian's archive keys into `folder`, which must not exist.

    The machine's package lists are used when it has them; a machine without lists (a fresh container) gets lists of
    its own in `folder`, so that nothing on the machine changes.

    Raises:
        LabError: the machine has no apt, or its archive does not offer these packages.
    """
    private = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial", "deb"):
        (private / part).mkdir(parents=True)
    download = ("env", f"--chdir={private / 'deb'}", "apt-get", *_private(private), "download", *_PACKAGES)
    try:
        if build.run(("env", f"--chdir={private / 'deb'}", "apt-get", "download", *_PACKAGES), log, report, allowed=(0, 100)):
            build.run(("apt-get", *_private(private), "update"), log, report)
            build.run(download, log, report)
    except LabError as error:
        raise LabError(
            f"mmdebstrap cannot be fetched with apt-get: Debian 12 or Ubuntu 24.04, or later, with a working "
            f"package archive is needed\n{error}"
        ) from error
    for package in sorted((private / "deb").glob("*.deb")):
        build.run(("dpkg-deb", "--extract", str(package), str(folder)), log, report)
    return Tools(folder / "usr" / "bin", _keyring(folder))


def _private(folder: Path) -> tuple[str, ...]:
    """Options that make apt keep its lists and packages in `folder` alone."""
    places = {"Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache"}
    return tuple(f"--option={name}={place}" for name, place in places.items())


def _keyring(folder: Path) -> Path:
    """Debian's archive keys: the name's ending differs between releases."""
    keys = folder / "usr" / "share" / "keyrings"
    found = sorted(keys.glob("debian-archive-keyring.*"))
    if not found:
        raise LabError(f"{keys}: debian-archive-keyring holds no key file of a known name; report this as a defect")
    return found[0]
