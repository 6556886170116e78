"""Pinned host keys, as OpenSSH reads them too."""

import subprocess
from pathlib import Path

import asyncssh
import pytest

from heiiki.fleet.errors import HostKeyError
from heiiki.fleet.host_keys import HostKeys

KEY, OTHER = (asyncssh.generate_private_key("ssh-ed25519").convert_to_public() for _ in range(2))


@pytest.mark.parametrize(("port", "place"), [(22, "192.0.2.1"), (2222, "[192.0.2.1]:2222")])
def test_openssh_finds_what_is_pinned(tmp_path: Path, port: int, place: str) -> None:
    keys = HostKeys(tmp_path / "state" / "known_hosts")
    assert keys.examine("ce", "192.0.2.1", port, KEY).startswith("first contact")
    found = subprocess.run(
        ["ssh-keygen", "-F", place, "-f", str(keys.path)], capture_output=True, text=True, check=True
    )
    assert KEY.export_public_key("openssh").decode().split()[1] in found.stdout
    assert HostKeys(keys.path).types("192.0.2.1", port) == ("ssh-ed25519",)


def test_of_two_runs_at_once_the_first_pins(tmp_path: Path) -> None:
    first, second = HostKeys(tmp_path / "keys"), HostKeys(tmp_path / "keys")
    first.examine("ce", "192.0.2.1", 22, KEY)
    with pytest.raises(HostKeyError, match="another run has pinned another host key"):
        second.examine("ce", "192.0.2.1", 22, OTHER)
    with pytest.raises(HostKeyError, match="not the pinned one"):
        second.examine("ce", "192.0.2.1", 22, OTHER)
    assert second.examine("ce", "192.0.2.1", 22, KEY) == ""


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(b"\xff")
    with pytest.raises(HostKeyError, match="cannot be read"):
        HostKeys(tmp_path / "keys")
