"""What every way to a device can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from heiiki.errors import HeiikiError


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended on a device.

    Attributes:
        rc: its exit status; not 0 is the program's own answer, not an error of the transport.
        stdout: what it wrote, as it came.
        stderr: what it complained about, as it came.
    """

    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")


class Transport(Protocol):
    """A way to devices by name. Safe to use from several threads at once."""

    def run(
        self, device: str, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 30.0
    ) -> Completed:
        """Run `argv` on `device` and wait until it ends.

        Args:
            device: name of the device in the plan.
            argv: program and arguments; no shell looks at them.
            stdin: what the program reads.
            timeout: seconds after which the program is given up.

        Raises:
            TransportError: the device is unknown or cannot be reached, or the time is over.
        """

    def spawn(self, device: str, argv: Sequence[str]) -> None:
        """Start `argv` on `device`, detached, and do not wait.

        Raises:
            TransportError: the device is unknown or cannot be reached.
        """

    def close(self) -> None:
        """Let go of every connection."""


def output(transport: Transport, device: str, argv: Sequence[str], stdin: bytes, timeout: float) -> str:
    """Return what a program wrote that has to succeed; the parameters are those of `Transport.run`.

    Raises:
        HeiikiError: it did not, and the message is what it said; or the device cannot be reached.
    """
    done = transport.run(device, argv, stdin=stdin, timeout=timeout)
    if done.rc != 0:
        why = done.stderr.decode(errors="replace").strip() or done.text.strip()
        raise HeiikiError(f"{device}: {why or f'exit status {done.rc}'}")
    return done.text
