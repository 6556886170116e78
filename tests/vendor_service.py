"""A service whose sites have CE routers of every vendor, beside one on Linux; for tests."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from heiiki.intent import Intent, load
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, compile_plan

FOLDER = Path(__file__).parent / "vendor_service"


@cache
def mixed() -> tuple[Plan, tuple[DeviceBuild, ...]]:
    """Return the plan of the service, and what its devices are sent."""
    plan = build(load(FOLDER))
    return plan, tuple(compile_plan(plan))


def on_linux() -> Plan:
    """Return the plan of the same service where every CE router is Linux."""
    intent: Intent = load(FOLDER)
    sites = (
        site.model_copy(update={"a": site.a.model_copy(update={"platform": "frr"})}) for site in intent.sites
    )
    return build(intent.model_copy(update={"sites": tuple(sites)}))


def router(platform: str) -> tuple[str, str]:
    """Return name and file of the router of a platform."""
    plan, builds = mixed()
    (name,) = (device.name for device in plan.by_hand() if device.platform == platform)
    (text,) = (build.files[0].content for build in builds if build.device == name)
    return name, text


def sent_otherwise(platform: str, old: str, new: str) -> tuple[Plan, tuple[DeviceBuild, ...]]:
    """Return the service with a changed text in the file of a platform's router."""
    plan, builds = mixed()
    name, text = router(platform)
    assert old in text
    changed = text.replace(old, new)
    return plan, tuple(
        replace(one, files=(replace(one.files[0], content=changed),)) if one.device == name else one
        for one in builds
    )
