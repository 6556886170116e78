"""The fork server with Ansible's module_utils loaded ahead, as ordinary processes of this machine."""

import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from heiiki_lab import guest
from heiiki_lab.client import NodeClient

SOURCE = Path(__file__).parents[3] / "src"
PROGRAM = """
import socket, sys
from pathlib import Path
from heiiki_lab.agent import preload
from heiiki_lab.agent.node import fork_agent
from heiiki_lab.agent.server import Agent
from heiiki_lab.agent.fork_server import ForkServer
preload.CODE_CACHE = Path(sys.argv[2])
preload.preload(Path(sys.argv[3]), "7.8.9")
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
agent = fork_agent(lambda control: Agent("trial", listener, control))
print(agent[1], flush=True)
ForkServer(*agent).run()
"""
SAME_RELEASE = """PARAMS = '"_ansible_version": "7.8.9"'\n"""
OTHER_RELEASE = """PARAMS = '"_ansible_version": "7.8.8"'\n"""
TELL = "import sys; print('ansible.module_utils.basic' in sys.modules, 'ansible' in sys.modules)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library as the guest mounts it, and a zip file as Ansible sends it, with a module of its own."""
    place = tmp_path_factory.mktemp("preload")
    ansible = guest.find_ansible()
    assert ansible is not None
    (place / "library/ansible").mkdir(parents=True)
    (place / "library/ansible/module_utils").symlink_to(ansible.module_utils)
    (place / "code").mkdir()
    with zipfile.ZipFile(place / "sent.zip", "w") as sent:
        for package in ("ansible", "ansible/module_utils", "ansible/modules"):
            sent.writestr(f"{package}/__init__.py", "")
        sent.writestr(
            "ansible/module_utils/extra.py", "from ansible.module_utils.basic import AnsibleModule\n"
        )
        sent.writestr(
            "ansible/modules/own.py", "import ansible.module_utils.extra as extra\nprint(extra.__file__)\n"
        )
    return place


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[NodeClient]:
    path = folder / "trial.sock"
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        *(str(folder / name) for name in ("trial.sock", "code", "library")),
    ]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        agent = int(process.stdout.readline())
        with NodeClient(path) as client:
            yield client
        os.kill(agent, signal.SIGKILL)
        process.wait(10)


def test_a_module_of_the_same_release_finds_its_utils_loaded(node: NodeClient) -> None:
    assert node.python(SAME_RELEASE + TELL).check().text == "True True\n"


@pytest.mark.parametrize("source", ["", OTHER_RELEASE])
def test_anything_else_starts_clean(node: NodeClient, source: str) -> None:
    assert node.python(source + TELL).check().text == "False False\n"


def test_what_is_not_loaded_comes_from_the_zip_that_was_sent(node: NodeClient, folder: Path) -> None:
    run = f"import sys; sys.path.insert(0, {str(folder / 'sent.zip')!r}); import ansible.modules.own"
    assert (
        node.python(SAME_RELEASE + run).check().text == f"{folder}/sent.zip/ansible/module_utils/extra.py\n"
    )


def test_code_from_a_zip_is_compiled_once_and_never_stale(node: NodeClient, folder: Path) -> None:
    archive = folder / "code.zip"
    for text in ("one", "two", "one"):
        with zipfile.ZipFile(archive, "w") as sent:
            sent.writestr("said.py", f"print({text!r})\n")
        run = f"import sys; sys.path.insert(0, {str(archive)!r}); import said"
        assert node.python(run).check().text == f"{text}\n"
        kept = {path.name: path.stat().st_mtime_ns for path in (folder / "code").iterdir()}
    again = node.python(run).check()
    assert again.text == "one\n"
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "code").iterdir()} == kept


def test_a_library_that_cannot_be_loaded_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "ansible/module_utils").mkdir(parents=True)
    (tmp_path / "ansible/module_utils/__init__.py").write_text("")
    (tmp_path / "ansible/module_utils/basic.py").write_text("1/0\n")
    program = (
        "import sys; from pathlib import Path; from heiiki_lab.agent.preload import preload\n"
        f"preload(Path({str(tmp_path)!r}), '1'); print('ansible' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert "ZeroDivisionError" in done.stderr
