"""The platforms of vendors, as data: what each one does of what the plan asks of a CE router."""

from collections.abc import Mapping

from heiiki.plan.model import Device
from heiiki.plan.vendors.cisco_iosxe import CISCO_IOSXE
from heiiki.plan.vendors.juniper_junos import JUNIPER_JUNOS
from heiiki.plan.vendors.model import ENDANGERED, Fact, Need, Platform, Ports
from heiiki.plan.vendors.nec_ix import NEC_IX
from heiiki.plan.vendors.yamaha_rtx import YAMAHA_RTX

__all__ = ["ENDANGERED", "PLATFORMS", "Fact", "Need", "Platform", "Ports", "platform_of"]

PLATFORMS: Mapping[str, Platform] = {
    item.name: item for item in (CISCO_IOSXE, JUNIPER_JUNOS, YAMAHA_RTX, NEC_IX)
}
"""By the name that the intent writes."""


def platform_of(device: Device) -> Platform | None:
    """Return the platform of a vendor's device; None for every other device."""
    return PLATFORMS[device.platform] if device.by_hand else None
