"""What a vendor's CE router is sent: one file, in its platform's own language, from the plan of every router.

No other device is sent anything else because of it: what the platform lacks is a verdict, not a concession.
"""

from pathlib import PurePosixPath

from heiiki.plan.model import Device, Plan
from heiiki.plan.vendors import PLATFORMS
from heiiki.render.model import DeviceBuild, RenderedFile
from heiiki.render.templates import render
from heiiki.render.vendors.view import Ce

__all__ = ["FOLDER", "build", "sent"]

FOLDER = PurePosixPath("/vendor")
"""Where the file stands in the device's folder of a build: it is at no path of the device."""

REQUIREMENTS = (
    "R-GAP",
    "R-DUAL",
    "R-ISO-SITE",
    "R-ISO-CARRIER",
    "R-ISO-MALICE",
    "R-ISO-MALICE/control",
    "R-ISO-MALICE/layer-2",
    "R-SEC-ACCESS",
    "R-SEC-ACCESS/time",
)
"""What the file holds of the plan, as the files of a Linux router do together."""


def build(plan: Plan, device: Device) -> DeviceBuild:
    """Return the configuration of a vendor's device; it has no service of ours."""
    platform = PLATFORMS[device.platform]
    text = render(f"{platform.name}/ce.j2", plan, device, ce=Ce.of(plan, device))
    file = RenderedFile(str(FOLDER / platform.file), text, "0600", secret=True, requirements=REQUIREMENTS)
    return DeviceBuild(device.name, (file,), (), by_hand=platform.name)


def sent(contents: dict[str, str], platform: str) -> str:
    """Return the configuration among the files of a device; empty when it has none."""
    return contents.get(str(FOLDER / PLATFORMS[platform].file), "")
