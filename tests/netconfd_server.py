"""yuma123's netconfd, a real NETCONF server, of Debian's packages unpacked into a folder; SSH is asyncssh's.

    python3 netconfd_server.py FOLDER SOCKET

Prints the port. A line on standard input gives it another host key; the end of standard input ends it.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import BinaryIO

import asyncssh
import debian_packages

PACKAGES = ("netconfd", "libyuma2", "libyuma-base", "libncurses6", "libssh2-1")
USER, PASSWORD = "ops", "log-in of a test"
_NCX_PORT = 1830
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu")


def unpacked() -> Path | None:
    """Return the folder with the server, fetched once into the cache; None where apt cannot fetch it."""
    return debian_packages.unpacked("netconfd", PACKAGES)


def _environment(root: Path, folder: Path) -> dict[str, str]:
    libraries = os.pathsep.join(str(root / one) for one in _LIBRARIES)
    (folder / "data").mkdir(exist_ok=True)
    return {
        "LD_LIBRARY_PATH": libraries,
        "PATH": os.environ["PATH"],
        "YUMA_HOME": str(folder),
        "HOME": str(folder),
    }


class Gate(asyncssh.SSHServer):
    """Lets in who knows the password."""

    def begin_auth(self, username: str) -> bool:
        return bool(username)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


class Front:
    """SSH in front of netconfd."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._socket = root, folder / "ncx"
        self._environment = _environment(root, folder)

    async def start(self, log: BinaryIO) -> "asyncio.subprocess.Process":
        """Start netconfd, and wait until it listens."""
        arguments = [
            f"--modpath={self._root}/usr/share/yuma/modules",
            "--no-startup",
            "--target=candidate",
            f"--superuser={USER}",
            "--access-control=off",
            f"--ncxserver-sockname={self._socket}",
            f"--port={_NCX_PORT}",
            "--module=ietf-interfaces",
            "--module=iana-if-type",
        ]
        program = str(self._root / "usr/sbin/netconfd")
        server = await asyncio.create_subprocess_exec(
            program, *arguments, env=self._environment, stdout=log, stderr=log
        )
        while not self._socket.exists():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.05)
        return server

    async def listen(self, port: int) -> asyncssh.SSHAcceptor:
        """Listen, with a new host key."""
        return await asyncssh.listen(
            "127.0.0.1",
            port,
            server_factory=Gate,
            server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
            process_factory=self._subsystem,
            encoding=None,
        )

    async def _subsystem(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        about = self._environment | {"SSH_CONNECTION": f"127.0.0.1 1 127.0.0.1 {_NCX_PORT}", "USER": USER}
        below = await asyncio.create_subprocess_exec(
            str(self._root / "usr/sbin/netconf-subsystem"),
            f"--ncxserver-sockname={_NCX_PORT}@{self._socket}",
            env=about,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        await process.redirect(stdin=below.stdin, stdout=below.stdout)
        await below.wait()
        process.exit(0)


async def serve(root: Path, folder: Path) -> None:
    """Serve until standard input ends."""
    settings = Path.home() / ".yuma"  # netconfd makes this folder, whatever HOME says
    had_settings = settings.exists()
    front = Front(root, folder)
    server = await front.start((folder / "log").open("wb"))
    acceptor = await front.listen(0)
    port = acceptor.get_port()
    print(port, flush=True)  # noqa: T201 - its interface
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        acceptor.close()
        await acceptor.wait_closed()
        acceptor = await front.listen(port)
        print(port, flush=True)  # noqa: T201 - its interface
    server.kill()
    await server.wait()
    if settings.exists() and not had_settings:
        settings.rmdir()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
