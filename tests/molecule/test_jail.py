"""A node of the lab, even as root, sees nothing of the machine that the lab runs on."""

import json
from pathlib import Path

import pytest

from heiiki_lab.state import lab_dir

from .service import Service

NODES = ("umeda-bems", "hub-ce-a", "vault")
LOOK = """
mkdir -p /tmp/machine && mount -t hostfs none /tmp/machine || exit 1
ls /tmp/machine
for place in "$@"; do
    test ! -e "/tmp/machine$place" || echo "seen: $place"
    touch "/tmp/machine$place" 2>/dev/null && echo "written: $place"
done
umount /tmp/machine
"""
CAP_NET_RAW = 1 << 13


def test_the_machines_files_are_out_of_reach(service: Service) -> None:
    places = ("/etc/shadow", "/etc/passwd", "/proc/self", "/home", str(lab_dir()), "/new", "/dev/new")
    for node in NODES:
        seen = service.run(node, "sh", "-c", LOOK, "sh", *places).splitlines()
        assert {"dev", "lib", "lib64", "proc"} <= set(seen)
        assert [line for line in seen if ":" in line] == []


@pytest.mark.usefixtures("service")
def test_the_guests_kernel_has_the_right_that_its_link_needs_and_no_other() -> None:
    ready = json.loads((lab_dir() / "ready.json").read_text(encoding="utf-8"))
    status = Path(f"/proc/{ready['guest_pid']}/status").read_text(encoding="utf-8")
    said = dict(line.split(":", 1) for line in status.splitlines())
    assert int(said["CapBnd"], 16) == int(said["CapEff"], 16) == CAP_NET_RAW
    assert said["NoNewPrivs"].strip() == "1"
