# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
name: lab
short_description: Reach a node of the lab through its agent
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Runs commands and modules on a node of the lab that C(heiiki lab up) started, through the node's socket.
  - A module runs in a fork of an interpreter that the node keeps ready, which spares its start and its
    imports.
  - Roles know nothing of it. On real hosts the same roles run over SSH.
options:
  node:
    description: Name of the node.
    type: str
    default: inventory_hostname
    vars:
      - name: inventory_hostname
      - name: heiiki_lab_node
  state_dir:
    description: State folder of the lab; by default the one that C(heiiki lab up) uses.
    type: path
    vars:
      - name: heiiki_lab_state
  command_timeout:
    description: Seconds after which a command is given up.
    type: float
    default: 300
    vars:
      - name: heiiki_lab_timeout
"""

import re
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ansible.errors import AnsibleConnectionFailure, AnsibleFileNotFound
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display
from ansible_collections.heiiki.network.plugins.plugin_utils._heiiki import package, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from heiiki_lab.client import NodeClient

display = Display()

SHELL = ("/bin/sh", "-c")
INTERPRETER = re.compile(r"(/usr/bin/)?python3(\.\d+)?")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A command that does nothing but run the Python source given on its standard input."""

    environment: tuple[tuple[str, str], ...]


def as_interpreter(command: str) -> Interpreter | None:
    """Return what `command` is when it only starts Python for a piped module, else None.

    Ansible wraps such a command as ``/bin/sh -c 'NAME=value /usr/bin/python3 && sleep 0'``.
    """
    words = shlex.split(command)
    if tuple(words[:2]) == SHELL and len(words) == len(SHELL) + 1:
        words = shlex.split(words[2])
    if words[-3:] == ["&&", "sleep", "0"]:
        words = words[:-3]
    *settings, program = words or [""]
    if not INTERPRETER.fullmatch(program) or not all(ASSIGNMENT.fullmatch(word) for word in settings):
        return None
    return Interpreter(tuple((name, value) for name, _, value in (word.partition("=") for word in settings)))


class Connection(ConnectionBase):  # type: ignore[misc]  # the base is not typed
    """One node of the lab."""

    transport = "heiiki.network.lab"
    has_pipelining = True
    always_pipeline_modules = True
    _client: "NodeClient | None" = None

    def _connect(self) -> "Connection":
        if self._client is None:
            state = self.get_option("state_dir")
            node = self.get_option("node")
            display.vvv("reaching the lab's node", host=node)
            paths = package("heiiki_lab.state")
            socket = paths.socket_path(Path(state) if state else paths.lab_dir(), node)
            self._client = package("heiiki_lab.client").NodeClient(socket)
            self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        """Run `cmd` on the node; a piped module goes to the interpreter that the node keeps ready."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv(f"EXEC {cmd}", host=self.get_option("node"))
        timeout = self.get_option("command_timeout")
        python = as_interpreter(cmd) if in_data else None
        with self._failures() as client:
            if python and in_data:
                done = client.python(in_data, timeout=timeout, env=dict(python.environment))
            else:
                done = client.exec([*SHELL, cmd], stdin=in_data or b"", timeout=timeout)
        return done.rc, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller to the node."""
        super().put_file(in_path, out_path)
        source = Path(in_path)
        if not source.is_file():
            raise AnsibleFileNotFound(f"{in_path} does not exist on the controller")
        with self._failures() as client:
            client.put(out_path, source.read_bytes(), mode=0o600)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the node to the controller."""
        super().fetch_file(in_path, out_path)
        with self._failures() as client:
            Path(out_path).write_bytes(client.get(in_path))

    def close(self) -> None:
        """Leave the node."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._connected = False

    @contextmanager
    def _failures(self) -> "Iterator[NodeClient]":
        """Give the client; what goes wrong with it means that the node is unreachable."""
        self._connect()
        if self._client is None:
            raise AnsibleConnectionFailure("the node's agent was not reached: see `heiiki lab status`")
        with translated(AnsibleConnectionFailure):
            yield self._client
