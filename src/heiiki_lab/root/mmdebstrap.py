"""mmdebstrap without installing it: the package is fetched by apt and run from an unpacked folder."""

import os
from pathlib import Path

from heiiki.errors import LabError
from heiiki_lab import build
from heiiki_lab.build import Report
from heiiki_lab.root.privileged import Tools

MIRROR_VARIABLE = "HEIIKI_DEBIAN_MIRROR"
_PACKAGES = ("mmdebstrap", "debian-archive-keyring")
_APT_ERROR = 100


def mirror() -> str | None:
    """The Debian mirror that the user names in HEIIKI_DEBIAN_MIRROR; None for mmdebstrap's own choice."""
    return os.environ.get(MIRROR_VARIABLE) or None


def fetch(folder: Path, log: Path, report: Report) -> Tools:
    """Fetch mmdebstrap and Debian's archive keys into `folder`, which must not exist.

    Raises:
        LabError: the machine has no apt, or its archive does not offer these packages.
    """
    packages = folder / "packages"
    packages.mkdir(parents=True)
    try:
        _download(packages, log, report)
    except LabError as error:
        raise LabError(
            "mmdebstrap cannot be fetched with apt-get: Debian 12 or Ubuntu 24.04, or later, with a working "
            f"package archive is needed\n{error}"
        ) from error
    for package in sorted(packages.glob("*.deb")):
        build.run(("dpkg-deb", "--extract", str(package), str(folder)), log, report)
    return Tools(folder / "usr" / "bin", _keyring(folder))


def _download(folder: Path, log: Path, report: Report) -> None:
    """Download into `folder` by the machine's package lists.

    A machine without lists (a fresh container) gets some in `folder`: nothing on the machine itself changes.
    """
    there = ("env", f"--chdir={folder}", "apt-get")
    if build.run((*there, "download", *_PACKAGES), log, report, allowed=(0, _APT_ERROR)) == 0:
        return
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "cache" / "archives" / "partial").mkdir(parents=True)
    private = (f"--option=Dir::State::lists={folder / 'lists'}", f"--option=Dir::Cache={folder / 'cache'}")
    build.run((*there, *private, "update"), log, report)
    build.run((*there, *private, "download", *_PACKAGES), log, report)


def _keyring(folder: Path) -> Path:
    """Debian's archive keys: the name's ending differs between releases."""
    keys = folder / "usr" / "share" / "keyrings"
    found = sorted(keys.glob("debian-archive-keyring.*"))
    if not found:
        raise LabError(
            f"{keys}: debian-archive-keyring holds no key file of a known name; report this as a defect"
        )
    return found[0]
