"""The worked example where the LAN of namba is wired, with IEEE 802.1X; for tests."""

from functools import cache
from pathlib import Path

from heiiki.intent import load
from heiiki.intent.lan import WiredLan
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, compile_plan

FOLDER = Path(__file__).parents[1] / "inventories" / "lab"


@cache
def controlled() -> tuple[Plan, tuple[DeviceBuild, ...]]:
    """Return the plan of the service, and what its devices are sent."""
    intent = load(FOLDER)
    sites = (
        site.model_copy(update={"site_lan": WiredLan(access="dot1x")}) if site.name == "namba" else site
        for site in intent.sites
    )
    plan = build(intent.model_copy(update={"sites": tuple(sites)}))
    return plan, tuple(compile_plan(plan))
