"""The texts that every device of a service is sent, read back once for all verdicts."""

from collections.abc import Iterable

from heiiki.design.sent import Sent
from heiiki.design.vendor_sent import VendorSent
from heiiki.plan.model import Plan
from heiiki.render.model import DeviceBuild


def read(plan: Plan, builds: Iterable[DeviceBuild]) -> dict[str, Sent]:
    """Return what each device of the plan is sent, by its name."""
    files = {build.device: build.contents for build in builds}
    return {
        device.name: (VendorSent if device.by_hand else Sent)(device, files.get(device.name, {}))
        for device in plan.devices
    }
