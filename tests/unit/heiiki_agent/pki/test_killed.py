"""Killed at every step: what is in use stays whole, and the next run finishes."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest
from agent_device import Device, sound

import heiiki_agent
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.crl import pull
from heiiki_agent.pki.enrol import request
from heiiki_agent.pki.report import status

DRIVER = """
import io, json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from heiiki_agent.pki import cli, commands, daemon
STEPS = ("open", "os.", "subprocess.Popen", "socket.connect", "http.client.", "fcntl.flock", "shutil.rmtree")
QUIET = ("os.listdir", "os.scandir", "os.putenv", "os.unsetenv", "os.fwalk")

def child(task):
    sys.stdin = io.StringIO(task["given"])
    sys.stdout = open(os.devnull, "w")
    count = 0
    def hook(event, arguments):
        nonlocal count
        if not event.startswith(STEPS) or event in QUIET:
            return
        if event == "open" and isinstance(arguments[2], int) and not arguments[2] & 3:
            return
        count += 1
        if count == task["kill_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    os._exit(cli.main(["--config", task["config"], task["command"]]))

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        child(json.loads(line))
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Driver:
    """Runs the program in forks of one process and kills each at its Nth step that others could see."""

    def __init__(self, device: Device) -> None:
        self._device = device
        source = str(Path(heiiki_agent.__file__).parents[1])
        self._process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def finished(self, command: str, kill_at: int, given: str = "") -> bool:
        task = {"command": command, "kill_at": kill_at, "given": given, "config": str(self._device.file)}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        ended = int(self._process.stdout.readline())
        assert ended in {0, signal.SIGKILL}, f"{command} failed at {kill_at}: {ended}"
        return ended == 0


def test_killed_at_any_step_of_a_request(device: Device) -> None:
    before = device.enrol()
    with Driver(device) as driver:
        step = 1
        while not driver.finished("request", step):
            assert device.store.current() == before
            step += 1
        assert step > 10
    assert device.store.pending() == before + 1
    device.enrol()
    assert sound(device.store)


@pytest.mark.timeout(120)
def test_killed_at_any_step_of_an_installation(device: Device) -> None:
    device.enrol()
    seen = set()
    with Driver(device) as driver:
        step, done = 1, False
        while not done:
            before = device.store.current()
            generation = request(device.settings)["generation"]
            done = driver.finished("install", step, device.order(generation))
            current = device.store.current()
            assert current in {before, generation}
            seen.add(current == generation)
            assert sound(device.store), f"killed at step {step}"
            step += 1
        assert step > 20
    assert seen == {False, True}
    device.enrol()
    assert device.store.pending() is None
    assert len(device.store.numbers()) == 2
    strange = [path for path in device.store.folder.rglob(".*") if path.name != ".current.new"]
    assert strange == [], "what was cut off is cleared away"


def test_killed_at_any_step_of_the_first_installation(device: Device) -> None:
    with Driver(device) as driver:
        for step in range(1, 60, 4):
            generation = request(device.settings)["generation"]
            if driver.finished("install", step, device.order(generation)):
                break
            if device.store.current() is not None:
                break
    device.enrol()
    assert sound(device.store)


def test_killed_at_any_step_of_a_pull(device: Device) -> None:
    device.enrol()
    number = 1
    with Driver(device) as driver:
        done, step = False, 1
        while not done:
            device.publish_crls(number)
            done = driver.finished("pull", step)
            assert all(item.number >= 1 for item in device.store.lists()), "never half a CRL"
            step, number = step + 1, number + 1
    told = device.told_times()
    pull(device.settings)
    assert status(device.settings)["loaded"]
    assert device.told_times() == told
    assert max(item.number for item in device.store.lists()) == number - 1


def test_users_that_a_killed_run_did_not_tell_are_told_by_the_next_pull(device: Device) -> None:
    device.enrol()
    device.publish_crls(1)
    device.configure(users=[["false"]])
    with pytest.raises(AgentError, match=r"^`false` exited 1: it printed nothing. What it uses is in place"):
        pull(device.settings)
    assert len(device.store.lists()) == 2
    assert not status(device.settings)["loaded"]
    device.configure(users=[["sh", "-c", f"echo told >> {device.told}"]])
    assert pull(device.settings) == {"changed": [], "refused": []}
    assert device.told_times() == 1
