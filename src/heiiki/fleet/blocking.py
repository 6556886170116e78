"""What sessions by libraries that block have in common: threads, and the host key before anything else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import asyncssh

from heiiki.fleet.cli.wire import host_key
from heiiki.fleet.host_keys import HostKeys
from heiiki.fleet.model import Target

_THREADS = ThreadPoolExecutor(64, thread_name_prefix="device")
"""So many devices are asked at once, at the most, by whatever library."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Examined:
    """A device whose host key is the pinned one.

    Attributes:
        key: the host key, for a library that is given it.
        notice: what first contact had to say; empty where the device is known.
        where: the device, as an error begins.
    """

    key: asyncssh.SSHKey
    notice: str
    where: str


async def examined(target: Target, keys: HostKeys, seconds: float) -> Examined:
    """Ask a device for its host key, and examine it by our own check; no library has been let near it yet.

    Raises:
        UnreachableError: there is no SSH at the other end, in time.
        HostKeyError: it has another host key.
    """
    key = await host_key(target, keys, seconds)
    notice = keys.examine(target.name, target.host, target.port, key)
    return Examined(key, notice, f"{target.name}: {target.host} port {target.port}")


async def in_thread(call: Callable[[], T]) -> T:
    """Do what blocks in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call)
