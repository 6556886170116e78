"""`push.yml` on a mixed service of simulated devices: one task pushes, each host tells of itself."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.heiiki.network.plugins.action.device_config import ActionModule
from push_world import PushWorld, simulator, world
from vendor_service import FOLDER

__all__ = ["simulator", "world"]

ROOT = Path(__file__).parents[3]
_PLAYBOOK = ("ansible-playbook", "-i", str(FOLDER), "playbooks/push.yml")
IOS, JUNOS, RTX, IX = "otemae-ce-a", "sonezaki-ce-a", "tenma-ce-a", "kyobashi-ce-a"


def played(world: PushWorld, *arguments: str) -> tuple[int, str, dict[str, dict[str, int]]]:
    """Run the playbook; return its exit code, its output, and its recap."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_NOCOLOR": "1",
        "HEIIKI_STATE": str(world.state.parent / "own"),
    }
    done = subprocess.run(
        [*_PLAYBOOK, "-e", f"heiiki_access={world.file}", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    rows = re.findall(r"(?m)^(\S+)\s+: (ok=.*)$", done.stdout)
    recap = {
        host: {key: int(value) for key, value in (pair.split("=") for pair in row.split())}
        for host, row in rows
    }
    return done.returncode, done.stdout + done.stderr, recap


def test_each_router_has_its_own_row_changed_failed_and_unreachable(world: PushWorld) -> None:
    """A dead one does not hold up the others, and one without consent fails in the last wave."""
    world.simulator.order("close", JUNOS)
    code, text, recap = played(world)
    assert code == 4, text
    assert {host: row["changed"] for host, row in recap.items()} == {IOS: 1, JUNOS: 0, RTX: 1, IX: 0}, text
    assert [host for host, row in recap.items() if row["unreachable"]] == [JUNOS]
    assert [host for host, row in recap.items() if row["failed"]] == [IX]
    assert "nothing takes a change back here by itself; say without_rollback: true (of push.yml: -e " in text
    assert "heiiki_without_rollback=true) to accept that, or do it on site" in text
    assert "4 devices: 2 changed, 1 failed, 1 unreachable" in text


def test_a_check_shows_the_digest_that_a_run_applies_and_a_second_changes_nothing(world: PushWorld) -> None:
    before = world.running()
    code, text, recap = played(world, "--check", "--diff")
    assert code == 0, text
    assert {row["changed"] for row in recap.values()} == {1}
    assert "+set system ntp server 10.96.3.252" in text
    assert "+ neighbor 10.80.0.9 password <secret>" in text
    assert world.running() == before
    keys = [file.read_text()[9:-2] for file in world.state.glob("secrets/routing/*/*.json")]
    assert [key for key in keys if key in text] == []
    digest = re.findall(r"shown: ([0-9a-f]{64})", text)[0]
    consent = ("-e", "heiiki_without_rollback=true")
    code, text, recap = played(world, "-e", f"heiiki_shown={digest}", *consent)
    assert code == 0, text
    assert {row["changed"] for row in recap.values()} == {1}
    code, text, recap = played(world, *consent)
    assert (code, {row["changed"] for row in recap.values()}) == (0, {0}), text
    code, text, _ = played(world, "-e", f"heiiki_shown={digest}", *consent)
    assert code == 2, text
    assert "no device was touched, for this is not what was shown" in text


def test_a_limit_pushes_those_alone(world: PushWorld) -> None:
    code, text, recap = played(world, "--limit", IOS)
    assert (code, list(recap)) == (0, [IOS]), text
    assert "vrf definition MANAGEMENT" in world.running()[IOS]
    assert world.simulator.state(JUNOS)["typed"] == 0


def test_junos_is_reached_by_napalm_where_that_is_said(world: PushWorld) -> None:
    code, text, recap = played(world, "--limit", JUNOS, "-e", "heiiki_napalm=juniper_junos")
    assert (code, {row["changed"] for row in recap.values()}) == (0, {1}), text
    assert "load-configuration" in world.simulator.state(JUNOS)["heard"]
    code, text, _ = played(world, "--limit", JUNOS, "-e", "heiiki_napalm=nec_ix")
    assert code == 2, text
    assert "nec_ix: NAPALM is no way to it here; it is one to juniper_junos" in text


def row(host: str, **told: Any) -> dict[str, Any]:
    module = ActionModule.__new__(ActionModule)
    module._host = host
    return module._row(told)


def test_a_host_tells_its_own_row() -> None:
    assert row("a", a={"changed": True, "difference": "+x\n"}) == {
        "changed": True,
        "difference": "+x\n",
        "diff": {"prepared": "+x\n"},
    }
    with pytest.raises(AnsibleConnectionFailure, match="no route"):
        row("a", a={"unreachable": True, "msg": "no route"})
    assert row("b", a={"changed": True}) == {
        "failed": True,
        "msg": "b: was not among the devices of the push",
    }
