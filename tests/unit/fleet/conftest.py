"""What the tests of the fleet have in common."""

from fleet_devices import device, make, simulator

__all__ = ["device", "make", "simulator"]
