"""What the tests of the fleet have in common."""

from fleet_devices import device, make, simulator
from frr_host import driver, frr_host

__all__ = ["device", "driver", "frr_host", "make", "simulator"]
