"""Boots the guest once and tries what the lab needs of its kernel."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from heiiki.errors import LabError

_PROCESSORS = 2
_TIME_OUT = 60.0
_EXPECTED = 17
"""How many checks the guest makes: fewer answers mean that it died on the way."""
_CONSOLE_TAIL = 20
_ANSWER = re.compile(r"^probe (?P<name>.+): (?:(?P<ok>ok)|failed (?P<detail>.*))$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried in the guest; `detail` says what went wrong and is empty when `ok`."""

    name: str
    ok: bool
    detail: str


def self_test(linux: Path, root: Path) -> tuple[Check, ...]:
    """Boot the guest, try what the lab needs of the kernel, power off; about two seconds.

    Args:
        linux: the kernel.
        root: the guest's root folder; stays as it is.

    Returns:
        Every check, good and bad.

    Raises:
        LabError: the guest did not boot, died, or did not end; the message carries the end of its console.
    """
    with tempfile.TemporaryDirectory(prefix="heiiki-selftest-") as name:
        share = Path(name)
        for file in ("probe.py", "families.nft"):
            (share / file).write_text(files("heiiki_lab.kernel").joinpath(file).read_text())
        console = _boot(linux, root, share)
    return _checks(console)


def _checks(console: str) -> tuple[Check, ...]:
    checks = tuple(
        Check(found["name"], found["ok"] is not None, found["detail"] or "")
        for found in _ANSWER.finditer(console.replace("\r", ""))
    )
    if len(checks) < _EXPECTED:
        end = "\n".join(f"  {line}" for line in console.splitlines()[-_CONSOLE_TAIL:])
        raise LabError(
            f"kernel self-test: {len(checks)} of {_EXPECTED} checks answered, so the guest died; "
            f"the end of its console:\n{end}"
        )
    return checks


def _boot(linux: Path, root: Path, share: Path) -> str:
    """Run the guest to its end and give what its console said."""
    ours, guests = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, guests:
        echo = threading.Thread(target=_echo, args=(ours,), daemon=True)
        echo.start()
        process = subprocess.Popen(
            _command(linux, root, share, guests.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[guests.fileno()],
            env={**os.environ, "TMPDIR": _memory_folder()},
        )
        console = _until_end(process)
        ours.shutdown(socket.SHUT_RDWR)
        echo.join()
    return console


def _until_end(process: subprocess.Popen[bytes]) -> str:
    """The guest powers itself off; one that hangs is killed with its whole group.

    SIGTERM and SIGINT do not end this kernel: they leave it spinning.
    """
    with process:
        try:
            output, _ = process.communicate(timeout=_TIME_OUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
    return output.decode(errors="replace")


def _command(linux: Path, root: Path, share: Path, network: int) -> tuple[str, ...]:
    """The guest's command line; setpriv makes it die with this process."""
    root = root.resolve()  # hostfs does not follow a link at its top
    init = f'"mount -t hostfs -o hostfs={share} none /mnt && exec python3 -I /mnt/probe.py"'
    return (
        *("setpriv", "--pdeathsig", "KILL", "--", str(linux)),
        *("mem=256M", f"ncpus={_PROCESSORS}", "seccomp=on", "quiet", "con=null", "con0=null,fd:1"),
        *("root=/dev/root", "rootfstype=hostfs", f"rootflags={root}", "ro"),
        *(
            f"uml_dir={share}",
            "umid=selftest",
            f"vec0:transport=fd,fd={network},vec=1",
            "mac80211_hwsim.radios=0",
        ),
        *(f"PROCESSORS={_PROCESSORS}", "init=/bin/sh", "--", "-c", init),
    )


def _memory_folder() -> str:
    """Where the guest's memory file goes: a RAM disk, or it warns and is slow."""
    shared = "/dev/shm"  # noqa: S108 - the kernel's own RAM disk; the file is unlinked at once
    return shared if os.access(shared, os.W_OK) else tempfile.gettempdir()


def _echo(port: socket.socket) -> None:
    """Send every frame of the guest back to it, until the port is shut."""
    while frame := port.recv(2048):
        try:
            port.send(frame)
        except OSError:
            return
