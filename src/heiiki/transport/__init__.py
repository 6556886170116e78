"""Ways to a device: run a program there and read its answer, over SSH; the lab brings one of its own."""

from heiiki.transport.base import Completed, Transport, output
from heiiki.transport.ssh import SshHost, SshTransport, host_key_options

__all__ = ["Completed", "SshHost", "SshTransport", "Transport", "host_key_options", "output"]
