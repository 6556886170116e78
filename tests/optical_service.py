"""The worked example with optical access at two sites: behind the hub's PE, and behind another; for tests."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from heiiki.intent import load
from heiiki.plan import Plan, build
from heiiki.render import DeviceBuild, compile_plan

FOLDER = Path(__file__).parent / "optical_service"


@cache
def optical() -> tuple[Plan, tuple[DeviceBuild, ...]]:
    """Return the plan of the service, and what its devices are sent."""
    plan = build(load(FOLDER))
    return plan, tuple(compile_plan(plan))


@cache
def by_ethernet() -> Plan:
    """Return the plan of the same service where every line carries IP by itself."""
    intent = load(FOLDER)
    sites = (
        site.model_copy(update={"a": site.a.model_copy(update={"access": "ethernet"})})
        for site in intent.sites
    )
    return build(intent.model_copy(update={"sites": tuple(sites)}))


def sent_otherwise(device: str, old: str, new: str) -> tuple[Plan, tuple[DeviceBuild, ...]]:
    """Return the service with a changed text in the files of one device."""
    plan, builds = optical()
    (spoilt,) = (one for one in builds if one.device == device)
    assert any(old in file.content for file in spoilt.files)
    files = tuple(replace(file, content=file.content.replace(old, new)) for file in spoilt.files)
    return plan, tuple(replace(one, files=files) if one is spoilt else one for one in builds)
