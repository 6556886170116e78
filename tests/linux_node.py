"""A Linux node below a folder: its real programs, run in processes of their own; systemd is a stand-in."""

import getpass
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from heiiki import deploy
from heiiki.errors import TransportError
from heiiki.fleet import linux
from heiiki.fleet.linux import LINUX, Ask
from heiiki.fleet.model import Login, Target
from heiiki.render.model import DeviceBuild, RenderedFile, Service
from heiiki.render.placeholders import ReadSecret

ME = getpass.getuser()
KEY, VALUE = "{{secret:routing/bgp/a--b:key}}", "a-key-that-no-text-shows"
_SYSTEMCTL = '''\
#!PYTHON -IS
"""Stands in for systemd: a service that runs is a file with what it read at its start or reload."""
import os, pathlib, re, signal, subprocess, sys

root = pathlib.Path("ROOT")
state, units = root / "state", root / "etc/systemd/system"
words = [word for word in sys.argv[1:] if not word.startswith("-")]
verb, names = words[0], words[1:]


def configured(name):
    path = root / f"etc/{name.removesuffix('.service')}.conf"
    return path.read_text() if path.exists() else ""


def act(name, verb):
    if (root / f"refuses.{verb}.{name}").exists():
        sys.exit(f"{name} refuses to {verb}")
    hook = root / f"hook.{name}"
    if hook.exists() and verb != "disable":
        subprocess.run([hook], check=True)
    if verb == "disable":
        (state / name).unlink(missing_ok=True)
    else:
        (state / name).write_text(configured(name))


def stop(timer):
    process = state / timer
    if process.exists():
        os.kill(int(process.read_text()), signal.SIGKILL)
        process.unlink()


def begin(timer):
    stop(timer)
    seconds = re.search("OnActiveSec=(.*)", (units / timer).read_text())[1]
    command = re.search("ExecStart=(.*)", (units / timer).with_suffix(".service").read_text())[1]
    process = state / timer
    # It is no timer any more when it fires: what it runs may stop it.
    script = f"sleep {seconds}; rm -f {process}; exec {command}"
    argv = ["setsid", "sh", "-c", script]
    started = subprocess.Popen(argv, stdin=-3, stdout=-3, stderr=-3)
    process.write_text(str(started.pid))


with (root / "systemctl.log").open("a") as log:
    log.write(" ".join(words) + "\\n")
if verb == "list-units":
    print("\\n".join(path.name for path in state.glob("*.service")))
elif verb == "show":
    print("\\n".join("LoadState=loaded" for _ in names))
elif names and names[0].endswith(".timer"):
    {"restart": begin, "disable": stop}.get(verb, lambda _: None)(names[0])
elif verb in {"start", "reload", "restart", "disable"}:
    for name in names:
        act(name, verb)
'''


def build(text: str, *, more: tuple[RenderedFile, ...] = (), other: bool = False) -> DeviceBuild:
    """Return what a node has: a service and its file with a key, and another one of both where asked for."""
    files = [RenderedFile("/etc/routing.conf", f"{text}\npassword {KEY}\n", "0640", ME, service="routing")]
    services = [Service("routing", on_change="reload")]
    if other:
        files.append(RenderedFile("/etc/tunnels/tunnel.conf", "peer\n", owner=ME, service="tunnels"))
        services.append(Service("tunnels"))
    return DeviceBuild("node", (*files, *more), tuple(services))


@dataclass
class LinuxNode:
    """A node that was provisioned once.

    Attributes:
        root: its files.
        name: as the plan names it.
        faults: by the step: lost `before` or `after` the device took it.
        steps: what it was asked.
        environment: what its programs find each other by.
    """

    root: Path
    name: str = "node"
    faults: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    away: bool = False

    def __post_init__(self) -> None:
        for folder in ("bin", "state", "etc/systemd/system", "var/lib/heiiki"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        program = self.root / "bin/systemctl"
        program.write_text(_SYSTEMCTL.replace("PYTHON", sys.executable).replace("ROOT", str(self.root)))
        program.chmod(0o755)
        path = f"{self.root}/bin:{self.environment.get('PATH', os.environ['PATH'])}"
        self.environment = {"HOME": str(self.root), **self.environment, "PATH": path}

    def placed(self, program: bytes) -> bytes:
        """Return a program that works in this folder instead of the machine."""
        text = program.decode()
        assert text.count('root = Path("/")') == 1
        return text.replace('root = Path("/")', f'root = Path("{self.root}")').encode()

    @property
    def take_back(self) -> str:
        return self.placed(deploy.program("hold", {"step": "expired"})).decode()

    def run(self, program: bytes) -> "subprocess.CompletedProcess[bytes]":
        argv = [sys.executable, "-I", "-"]
        return subprocess.run(
            argv, input=program, capture_output=True, check=False, env=self.environment, timeout=60
        )

    def ask(self, step: Mapping[str, Any], seconds: float = 60.0) -> Mapping[str, Any]:
        del seconds
        name = str(step["step"])
        self.steps.append(name)
        if self.away or self.faults.get(name) == "before":
            self.faults.pop(name, None)
            raise TransportError(f"{self.name}: no SSH connection")
        if "program" in step:
            step = {**step, "program": self.take_back}
        done = self.run(self.placed(deploy.program("hold", step)))
        assert done.stdout, done.stderr.decode()
        if self.faults.pop(name, "") == "after":
            raise TransportError(f"{self.name}: no answer")
        answer: Mapping[str, Any] = json.loads(done.stdout)
        return answer

    def opened(self) -> tuple[Ask, Callable[[], None]]:
        return self.ask, lambda: None

    async def connect(self, target: Target) -> linux.LinuxSession:
        return await linux.connect(target, self.opened, self.take_back)

    def provision(self, made: DeviceBuild, read: ReadSecret = lambda *_: VALUE) -> dict[str, Any]:
        """Do as site.yml does."""
        source = deploy.apply_program(made, read).decode()
        assert source.count("manager=find(),") == 1
        place = f"manager=find(), root=__import__('pathlib').Path({str(self.root)!r}),"
        answer: dict[str, Any] = json.loads(
            self.run(source.replace("manager=find(),", place).encode()).stdout
        )
        return answer

    def target(self, made: DeviceBuild) -> Target:
        document = deploy.whole(made, lambda *_: VALUE)
        secrets = tuple(document["secrets"].values())
        return Target(self.name, LINUX, self.name, Login("ops"), json.dumps(document), secrets=secrets)

    def tree(self) -> dict[str, str]:
        """What it has, journal, lock, folders and logs aside."""
        found = (path for part in ("etc", "state", "var") for path in (self.root / part).rglob("*"))
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(found)
            if path.is_file() and path.name != "lock"
        }

    def config(self) -> dict[str, str]:
        """What it has, but for what holds a change."""
        aside = ("heiiki-held", "take-back.py", "heiiki/journal/", ".heiiki-candidate")
        return {path: text for path, text in self.tree().items() if not any(word in path for word in aside)}

    @property
    def armed(self) -> bool:
        return (self.root / "state/heiiki-held.timer").exists()

    def refuse(self, verb: str, service: str = "routing") -> None:
        (self.root / f"refuses.{verb}.{service}.service").touch()

    def accept(self) -> None:
        for path in self.root.glob("refuses.*"):
            path.unlink()
