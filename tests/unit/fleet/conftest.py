"""What the tests of the fleet have in common."""

from fleet_devices import device, make, simulator
from frr_host import driver, frr_host
from killed_pushes import pushes

__all__ = ["device", "driver", "frr_host", "make", "pushes", "simulator"]
