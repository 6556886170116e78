"""FRRouting's real bgpd, vtysh and frr-reload.py, of Debian's packages unpacked into a folder.

SSH is asyncssh's:

    python3 frr_daemon.py FOLDER SOCKET-FOLDER

Prints the port of SSH and that of a second bgpd, which is a neighbour. A line on standard input gives the
host another host key; the end of standard input ends everything. bgpd has neither zebra nor a way into the
kernel: it changes nothing of the machine. systemd is a stand-in of a few lines, which has one timer.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import debian_packages
from free_ports import free_port

PACKAGES = (
    *("frr", "frr-pythontools", "libyang2", "libc-ares2", "libjson-c5", "libprotobuf-c1", "libcap2"),
    *("libreadline8", "libpcre2-8-0", "libelf1"),
)
USER, PASSWORD = "ops", "log-in of a test"
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/frr")
_SYSTEMD_RUN = """\
#!/bin/sh
# Stands in for systemd: a timer is a process that sleeps.
while [ $# -gt 0 ]; do
  case $1 in
    --unit=*) unit=${1#*=} ;;
    --on-active=*) seconds=${1#*=} ;;
    --*) ;;
    *) break ;;
  esac
  shift
done
setsid sh -c 'sleep "$1"; mv "$2.timer" "$2.service"; state=$2; shift 2; "$@"; rm -f "$state.service"' \
  sh "$seconds" "STATE/$unit" "$@" </dev/null >/dev/null 2>&1 &
echo $! >"STATE/$unit.timer"
"""
_SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemd.
case $1 in
  is-active) if [ -e "STATE/$2" ]; then echo active; else echo inactive; exit 3; fi ;;
  stop) if [ -e "STATE/$2" ]; then kill -- -"$(cat "STATE/$2")"; rm -f "STATE/$2"; fi ;;
esac
"""


def unpacked() -> Path | None:
    """Return the folder with FRRouting, fetched once into the cache; None where apt cannot fetch it."""
    return debian_packages.unpacked("frr", PACKAGES)


class Host:
    """A host with FRRouting below a folder."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Write the programs that lead to those of `root`."""
        self.root, self.folder = root, folder
        for name in ("bin", "etc", "run", "neighbour", "state"):
            (folder / name).mkdir(exist_ok=True)
        # Without this line vtysh asks PAM, whose rules are in the package's part of /etc.
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        (folder / "etc/vtysh.conf").write_text(f"username {user} nopassword\n")
        sockets = f"--vty_socket {folder}/run --config_dir {folder}/etc"
        self._program("vtysh", f'#!/bin/sh\nexec {root}/usr/bin/vtysh "$@" {sockets}\n')
        places = f"--bindir {folder}/bin --confdir {folder}/etc --rundir {folder}/run"
        reload = f"{root}/usr/lib/frr/frr-reload.py"
        self._program("frr-reload.py", f'#!/bin/sh\nexec {sys.executable} {reload} {places} "$@"\n')
        self._program("systemd-run", _SYSTEMD_RUN)
        self._program("systemctl", _SYSTEMCTL)

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text.replace("STATE", str(self.folder / "state")))
        path.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What programs find each other by."""
        libraries = os.pathsep.join(str(self.root / one) for one in _LIBRARIES)
        return {
            "LD_LIBRARY_PATH": libraries,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
        }

    @contextmanager
    def bgpd(self, address: str, port: int, place: str) -> Iterator[None]:
        """Run a bgpd that listens at an address of loopback, with its sockets in a folder."""
        sockets = self.folder / place
        # `write memory` replaces this file, whatever it is: /dev/null would be gone.
        saved = self.folder / f"{place}.conf"
        saved.touch()
        argv = [
            *(self.root / "usr/lib/frr/bgpd", "-Z", "-S", "-P", "0", "-f", saved, "--log", "stdout"),
            *("-l", address, "-p", str(port), "-i", sockets / "bgpd.pid", "--vty_socket", sockets),
        ]
        with (self.folder / f"{place}.log").open("wb") as log:
            one = subprocess.Popen(
                argv, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            one.kill()
            one.wait()


class Gate(asyncssh.SSHServer):
    """Lets in who knows the password."""

    def begin_auth(self, username: str) -> bool:
        return bool(username)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


async def _listen(host: Host, port: int) -> asyncssh.SSHAcceptor:
    async def run(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        given = await process.stdin.read()
        below = await asyncio.create_subprocess_shell(
            process.command or "false",
            env=host.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await below.communicate(given)
        process.stdout.write(out)
        process.stderr.write(errors)
        process.exit(below.returncode or 0)

    return await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Gate,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=run,
        encoding=None,
    )


async def serve(root: Path, folder: Path) -> None:
    """Serve until standard input ends."""
    host, neighbour = Host(root, folder), free_port("127.0.0.2")
    with (
        host.bgpd("127.0.0.1", free_port("127.0.0.1"), "run"),
        host.bgpd("127.0.0.2", neighbour, "neighbour"),
    ):
        while not all((folder / one / "bgpd.vty").exists() for one in ("run", "neighbour")):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        acceptor = await _listen(host, 0)
        port = acceptor.get_port()
        print(port, neighbour, flush=True)  # noqa: T201 - its interface
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            acceptor.close()
            await acceptor.wait_closed()
            acceptor = await _listen(host, port)
            print(port, neighbour, flush=True)  # noqa: T201 - its interface
        acceptor.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
