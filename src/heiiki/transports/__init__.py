"""Ways to a device: run a program there and read its answer, in the lab or over SSH."""

from heiiki.transports.base import Completed, Transport
from heiiki.transports.lab import LabTransport
from heiiki.transports.ssh import SshTransport

__all__ = ["Completed", "LabTransport", "SshTransport", "Transport"]
