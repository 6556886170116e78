"""Where NAPALM looks for its driver of FRRouting: `napalm.get_network_driver("frr")`."""

from heiiki.fleet.frr_driver import FrrDriver

__all__ = ["FrrDriver"]
