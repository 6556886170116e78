"""The guest's own agent: what every node's agent does, and what concerns the machine as a whole."""

import json
import os
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

from heiiki_lab.agent import linux
from heiiki_lab.agent.children import AgentError, Request
from heiiki_lab.agent.server import Agent, Answer, clock
from heiiki_lab.agent.stall_detector import Stalls

FIRST_PORT = 7000
_WORKERS = 8
_BATCH_TIMEOUT = 20.0
_READY_TIMEOUT = 2.0


class GuestAgent(Agent):
    """Makes nodes, runs batches of `ip` and `tc` in their network namespaces, knows stalls and memory.

    Args:
        name: as of every agent.
        listener: as of every agent.
        control: as of every agent.
        address: the guest's address on the way to the launcher; the nodes' agents listen on it too.
        stalls: what the stall detectors note.
    """

    def __init__(
        self, name: str, listener: socket.socket, control: socket.socket, address: str, stalls: Stalls
    ) -> None:
        super().__init__(name, listener, control)
        self._address = address
        self._stalls = stalls
        self._networks: dict[str, int] = {}
        self._pids: dict[str, int] = {}
        self.add("make_nodes", self._make_nodes)
        self.add("batch", self._batch)
        self.add("give_radios", self._give_radios)
        self.add("stalls", self._get_stalls)
        self.add("memory", self._memory)
        self.add("power_off", self._power_off)

    def _make_nodes(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        """Make nodes side by side; their ports are FIRST_PORT + 1 and on, in the order given."""
        started = [
            (name, self._start_node(name, processor, FIRST_PORT + 1 + n))
            for n, (name, processor) in enumerate(request["nodes"])
        ]
        pids = {}
        for name, reply in started:
            with reply:
                pids[name] = await_node(name, reply)
            self._networks[name] = os.open(f"/proc/{pids[name]}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._pids |= pids
        return {"pids": pids}, b""

    def _start_node(self, name: str, processor: int, port: int) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, socket.create_server((self._address, port), backlog=256) as listener:
            asked = {"kind": "node", "name": name, "processor": processor}
            self.ask_fork_server(asked, [theirs.fileno(), listener.fileno()])
        return ours

    def _batch(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        """Steps of one node keep their order, nodes go side by side; the times are before and after all.

        Programs are started ahead and wait for their lines, so that the steps themselves lie close together.
        """
        steps = request["steps"]
        unknown = sorted({step["node"] for step in steps} - set(self._networks))
        if unknown:
            raise AgentError(f"no such node: {', '.join(unknown)}")
        by_node = {node: list(group) for node, group in groupby(sorted(steps, key=_node), key=_node)}
        with ThreadPoolExecutor(min(_WORKERS, len(by_node) or 1)) as pool:
            firsts = list(pool.map(self._started, (own[0] for own in by_node.values())))
            began = clock()["monotonic"]
            for first in firsts:
                first.feed()
            rest = ((first, own[1:]) for first, own in zip(firsts, by_node.values(), strict=True))
            failures = [text for text in pool.map(self._finished, rest) if text]
        return {"failures": failures, "began": began, **clock()}, b""

    def _give_radios(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        """Move the radios to nodes one after the other, and name their interfaces."""
        given = list(enumerate(request["ends"]))
        # The file with the rules of each country was not there yet when the kernel looked for it.
        failures = [_problem(["iw", "reg", "reload"])] if given else []
        for number, end in given:
            node = end["node"]
            failures.append(_problem(["iw", "phy", f"phy{number}", "set", "netns", str(self._pids[node])]))
            named = {"node": node, "tool": "ip", "lines": [f"link set wlan{number} name {end['interface']}"]}
            with ThreadPoolExecutor(1) as pool:  # which enters the node's namespace
                failures.append(pool.submit(self._done, named).result())
        return {"failures": [text for text in failures if text]}, b""

    def _done(self, step: dict[str, Any]) -> str:
        running = self._started(step)
        running.feed()
        return running.problem()

    def _started(self, step: dict[str, Any]) -> "_Step":
        linux.setns(self._networks[step["node"]], linux.CLONE_NEWNET)
        return _Step(step)

    def _finished(self, work: "tuple[_Step, list[dict[str, Any]]]") -> str:
        running, later = work
        for step in later:
            if problem := running.problem():
                return problem
            running = self._started(step)
            running.feed()
        return running.problem()

    def _get_stalls(self, _connection: socket.socket, request: Request, _body: bytes) -> Answer:
        return {"stalls": self._stalls.since(float(request.get("since", 0))), **clock()}, b""

    def _memory(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
        kib = {words[0].rstrip(":"): int(words[1]) for words in lines}
        total = kib["MemTotal"]
        return {"total_mib": total >> 10, "used_mib": (total - kib["MemAvailable"]) >> 10}, b""

    def _power_off(self, _connection: socket.socket, _request: Request, _body: bytes) -> Answer:
        threading.Thread(target=_power_off_soon, daemon=True).start()
        return {}, b""


class _Step:
    """One run of `ip -batch` or `tc -batch`, which reads its lines when it is fed."""

    def __init__(self, step: dict[str, Any]) -> None:
        """Start the program in the thread's network namespace, and wait until it waits for its lines."""
        self._name = f"{step['node']}: {step['tool']}"
        self._lines = "\n".join(step["lines"]) + "\n"
        self._process = subprocess.Popen(
            [step["tool"], "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + _READY_TIMEOUT
        while not _sleeps(self._process.pid) and time.monotonic() < deadline:
            time.sleep(0.001)

    def feed(self) -> None:
        """Let it begin."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already, and says why
                self._process.stdin.write(self._lines)
                self._process.stdin.close()
            self._process.stdin = None

    def problem(self) -> str:
        """Wait until it has ended; returns what it complained of."""
        _, said = self._process.communicate(timeout=_BATCH_TIMEOUT)
        return f"{self._name}: {said.strip()}" if self._process.returncode else ""


def _sleeps(pid: int) -> bool:
    """Tell whether a process waits, or has ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"S", "Z", "X"}


def _problem(argv: list[str]) -> str:
    """Run a program in the guest's own namespace; returns what it complained of."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return f"{' '.join(argv)}: {done.stderr.strip()}" if done.returncode else ""


def _node(step: dict[str, Any]) -> str:
    return str(step["node"])


def await_node(name: str, reply: socket.socket) -> int:
    """The pid of the node's PID 1, as the guest sees it, once the node is ready."""
    reply.settimeout(30.0)
    # Two processes answer, and the one that comes to be second may be the first to say so.
    pid, ready = 0, False
    while not (pid and ready):
        data = reply.recv(4096)
        if not data:
            raise AgentError(f"node {name} ended while it was made: see the guest's console")
        message = json.loads(data)
        if "error" in message:
            raise AgentError(f"node {name}: {message['error']}")
        pid = int(message.get("pid", pid))
        ready = ready or bool(message.get("ready"))
    return pid


def _power_off_soon() -> None:
    """After the answer has left."""
    time.sleep(0.05)
    linux.power_off()
