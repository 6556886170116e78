import socket
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from heiiki.errors import LabError
from heiiki_lab import guest
from heiiki_lab.agent.guest import await_node
from heiiki_lab.agent.stall_detector import StallRing, Stalls

MACHINE = guest.Machine(
    kernel=Path("/cache/linux"),
    root=Path("/cache/root"),
    source=Path("/checkout/src"),
    ansible=guest.Ansible("2.19.14", Path("/site/ansible/module_utils")),
    memory="2G",
    cpus=3,
    console=Path("/state/console.log"),
)


def test_the_command_line_is_what_the_kernel_wants() -> None:
    line = guest.command_line(MACHINE)
    assert line[:4] == ["/cache/linux", "mem=2G", "ncpus=3", "seccomp=on"]
    assert "vec0:transport=raw,ifname=guest0,gro=1,depth=128,mtu=9000" in line
    assert line[-4:-1] == ["init=/bin/sh", "--", "-c"]
    assert line[-1] == (
        '"mount -t tmpfs none /mnt && mkdir -p /mnt/source /mnt/library/ansible/module_utils && '
        "mount -t hostfs -o ro,hostfs=/checkout/src none /mnt/source && "
        "mount -t hostfs -o ro,hostfs=/site/ansible/module_utils none /mnt/library/ansible/module_utils && "
        'exec /usr/bin/python3 -I -S -B /mnt/source/heiiki_lab/agent/boot.py 198.18.0.2/30 2.19.14"'
    )


def test_without_ansible_nothing_is_mounted_for_it() -> None:
    shell = guest.command_line(replace(MACHINE, ansible=None))[-1]
    assert "hostfs=/site" not in shell
    assert shell.rstrip('" ').endswith("boot.py 198.18.0.2/30")


def test_the_ansible_beside_us_is_found_without_importing_it() -> None:
    found = guest.find_ansible()
    assert found is not None
    assert found.release == version("ansible-core")
    assert (found.module_utils / "basic.py").is_file()


@pytest.mark.parametrize("odd", ["/a b/linux", '/a"b', "/a,b", "/a$b"])
def test_a_path_that_the_kernel_would_misread_is_refused(odd: str) -> None:
    guest.refuse_odd_paths(MACHINE)
    with pytest.raises(LabError, match="cannot take a path with"):
        guest.refuse_odd_paths(replace(MACHINE, kernel=Path(odd)))
    with pytest.raises(LabError, match="cannot take a path with"):
        guest.refuse_odd_paths(replace(MACHINE, source=Path(odd)))


def test_nodes_have_the_ports_after_the_guests_own() -> None:
    assert guest.ports(["a", "b"]) == {"a": 7001, "b": 7002}


def test_the_ring_keeps_the_latest_stalls() -> None:
    ring = StallRing()
    assert ring.since(0.0) == []
    for number in range(10_000):
        ring.add(float(number), 1000.0 + number, 0.2)
    kept = ring.since(0.0)
    assert (len(kept), kept[0], kept[-1]) == (8192, (1808.0, 2808.0, 0.2), (9999.0, 10999.0, 0.2))
    assert ring.since(9998.0) == [(9999.0, 10999.0, 0.2)]


def test_a_stall_of_any_processor_counts() -> None:
    stalls = Stalls({0, 1})
    stalls.rings[1].add(7.0, 1007.0, 0.4)
    stalls.rings[0].add(5.0, 1005.0, 0.2)
    assert stalls.since(0.0) == [(5.0, 1005.0, 0.2), (7.0, 1007.0, 0.4)]
    assert stalls.since(5.0) == [(7.0, 1007.0, 0.4)]


def test_the_kernel_sees_what_the_guest_is_made_of_and_nothing_else() -> None:
    python, isolated, _, program, *words = guest.in_jail(MACHINE)
    assert (python, isolated, program) == (sys.executable, "-I", "heiiki_lab.jail")
    assert words == ["2G", "/cache/root", "/cache/linux", "/checkout/src", "/site/ansible/module_utils", "--"]


@pytest.mark.parametrize("order", [("pid", "ready"), ("ready", "pid")])
def test_a_node_is_known_when_both_of_its_processes_have_answered(order: tuple[str, str]) -> None:
    said = {"pid": b'{"pid": 7}', "ready": b'{"ready": true}'}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for word in order:
            theirs.send(said[word])
        assert await_node("n1", ours) == 7
