"""Programs of Debian's packages, unpacked into the cache: nothing is installed on the machine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


def unpacked(name: str, packages: Sequence[str]) -> Path | None:
    """Return folder `name` of the cache with `packages`, fetched once; None where apt cannot fetch them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heiiki"
    place = cache / name
    if place.is_dir():
        return place
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        return None
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="unpacking-") as folder:
        fetched = subprocess.run(
            ["apt-get", "download", *packages], cwd=folder, capture_output=True, check=False
        )
        if fetched.returncode:
            return None
        root = Path(folder) / "root"
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["dpkg-deb", "--extract", str(package), str(root)], check=True)
        root.rename(place)
    return place
