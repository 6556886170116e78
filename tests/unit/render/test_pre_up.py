"""A session is in the VRF of its site before it is up, or there is none."""

import subprocess
from pathlib import Path

import pytest
from optical_service import optical

from heiiki_agent import pppoe


def script(folder: Path) -> Path:
    """Return the script as a PE is sent it."""
    (build,) = (one for one in optical()[1] if one.device == "a-pe2")
    (file,) = (one for one in build.files if one.path == str(pppoe.PRE_UP))
    path = folder / "pre-up"
    path.write_text(file.content, encoding="utf-8")
    path.chmod(int(file.mode, 8))
    return path


@pytest.mark.parametrize(("status", "goes_on"), [(0, True), (2, False)])
def test_who_calls_it_goes_on_only_in_the_vrf(tmp_path: Path, status: int, goes_on: bool) -> None:
    called = tmp_path / "called"
    ip = tmp_path / "ip"
    ip.write_text(f'#!/bin/sh\necho "$@" > {called}\nexit {status}\n', encoding="utf-8")
    ip.chmod(0o755)
    # As pppd calls it: a process of its own, whose status is not looked at.
    caller = f"{script(tmp_path)} ppp0 line 0 192.0.2.1 192.0.2.2 s0017; echo goes on"
    done = subprocess.run(
        ["/bin/sh", "-c", caller],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert called.read_text(encoding="utf-8") == "link set dev ppp0 master s0017\n"
    assert (done.stdout == "goes on\n", done.returncode == 0) == (goes_on, goes_on)
