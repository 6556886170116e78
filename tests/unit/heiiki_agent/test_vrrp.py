"""What keepalived 2.3.3 writes of itself; and that nothing is taken for an answer that is none."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from heiiki_agent import vrrp
from heiiki_agent.errors import AgentError

DUMP = (Path(__file__).parent / "recorded/keepalived.data").read_text(encoding="utf-8")
LAN = {
    "name": "lan",
    "state": "BACKUP",
    "interface": "lan0",
    "virtual_interface": "lan0-v",
    "router_id": 51,
    "priority": 100,
    "advert_ms": 300,
    "preempt": "enabled",
    "preempt_delay_s": 2,
    "addresses": ["10.16.1.17"],
    "tracks": ["/run/heiiki/vrrp_fault"],
}


def test_the_instance_of_a_dump() -> None:
    assert vrrp.instances(DUMP) == [LAN]
    slow = DUMP.replace("\n   Advert interval = 300 milli-sec", "\n   Advert interval = 2 sec")
    assert vrrp.instances(slow) == [{**LAN, "advert_ms": 2000}]
    assert vrrp.instances("") == []


def test_two_instances_are_two() -> None:
    both = DUMP.replace(
        "------< VRRP Sockpool", re.split("(?= VRRP Instance)", DUMP)[1] + "------< VRRP Sockpool", 1
    )
    assert len(vrrp.instances(both)) == 2


def test_a_keepalived_that_is_gone_is_told_of_and_no_other_process_is_signalled(tmp_path: Path) -> None:
    pid, dump = tmp_path / "pid", tmp_path / "keepalived.data"
    dump.write_text(DUMP)
    with pytest.raises(AgentError, match="keepalived does not run"):
        vrrp.dumped(pid, [dump])
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    for number in (gone.pid, os.getpid()):
        pid.write_text(f"{number}\n")
        with pytest.raises(AgentError, match="keepalived does not run"):
            vrrp.dumped(pid, [dump])


def test_an_old_dump_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid, dump = tmp_path / "pid", tmp_path / "keepalived.data"
    pid.write_text("1\n")
    dump.write_text(DUMP)
    monkeypatch.setattr(vrrp, "_signal", lambda _: None)
    with pytest.raises(AgentError, match="did not write"):
        vrrp.dumped(pid, [dump], 0.05)
    monkeypatch.setattr(vrrp, "_signal", lambda _: dump.write_text(DUMP))
    assert vrrp.dumped(pid, [dump]) == DUMP
    assert not dump.exists()


def test_only_a_file_that_makes_the_instance_resign_is_tracked() -> None:
    weighed = DUMP.replace("     fitness, weight 0", "     fitness, weight 5")
    assert vrrp.instances(weighed) == [{**LAN, "tracks": []}]
