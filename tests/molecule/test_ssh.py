"""Roles know nothing of the lab: one of them is run over OpenSSH to a node (D27)."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .commands import BIN, Commands

NODE = "umeda-bems"
FOLDER = "/root/ssh-test"
SSHD = (
    *("/usr/sbin/sshd", "-i", "-f", "/dev/null", "-h", f"{FOLDER}/host"),
    *("-o", f"AuthorizedKeysFile={FOLDER}/authorized", "-o", "UsePAM=no", "-o", "PermitRootLogin=yes"),
)

Play = Callable[..., str]


@pytest.fixture(scope="module")
def over_ssh(lab: Commands, lab_inventory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays that reach the node by ssh, with a key made for this test alone."""
    if shutil.which("ssh") is None:
        pytest.skip("OpenSSH's client is not on this machine: install openssh-client")
    keys = tmp_path_factory.mktemp("ssh")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / "key"], check=True)
    public = shlex.quote((keys / "key.pub").read_text(encoding="utf-8").strip())
    prepare = (
        f"mkdir -p -m 700 {FOLDER} /run/sshd && cd {FOLDER} && echo {public} > authorized"
        " && (test -f host || ssh-keygen -q -t ed25519 -N '' -f host)"
    )
    lab.run("heiiki", "lab", "exec", NODE, "--", "sh", "-c", prepare)
    host_key = lab.run("heiiki", "lab", "exec", NODE, "--", "cat", f"{FOLDER}/host.pub")
    (keys / "known").write_text(f"{NODE} {host_key}", encoding="utf-8")
    (keys / "config").write_text(
        f"Host {NODE}\n  User root\n  IdentityFile {keys}/key\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {keys}/known\n  StrictHostKeyChecking yes\n  ControlMaster no\n"
        f"  ProxyCommand {BIN}/heiiki lab exec -i {NODE} -- {shlex.join(SSHD)}\n",
        encoding="utf-8",
    )
    way = ("ansible_connection=ansible.builtin.ssh", f"ansible_ssh_args='-F {keys}/config'")

    def play(*variables: str) -> str:
        extra = [
            word for variable in (f"heiiki_build={lab.state}/build", *variables) for word in ("-e", variable)
        ]
        return lab.run("ansible-playbook", "-i", lab_inventory, "playbooks/site.yml", "--limit", NODE, *extra)

    yield lambda *, ssh=True: play(*(way if ssh else ()))
    lab.run("heiiki", "lab", "exec", NODE, "--", "rm", "-r", FOLDER)


def changed(said: str) -> int:
    found = re.search(rf"^{NODE} +: ok=\d+ +changed=(\d+)", said, re.MULTILINE)
    assert found
    return int(found[1])


def test_what_the_lab_connection_provisioned_is_right_over_ssh_too(over_ssh: Play) -> None:
    assert changed(over_ssh()) == 0


def test_a_role_mends_a_node_over_ssh(lab: Commands, over_ssh: Play) -> None:
    lab.run("heiiki", "lab", "exec", NODE, "--", "rm", "/etc/heiiki/links.json")
    assert changed(over_ssh()) == 1
    assert changed(over_ssh(ssh=False)) == 0
