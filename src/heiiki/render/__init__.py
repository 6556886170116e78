"""Configurations: the plan in each platform's own words."""

from heiiki.render.compile import compile_device, compile_plan, interfaces_json
from heiiki.render.model import DeviceBuild, RenderedFile, Service
from heiiki.render.write import Written, facts, manifest, write

__all__ = [
    "DeviceBuild",
    "RenderedFile",
    "Service",
    "Written",
    "compile_device",
    "compile_plan",
    "facts",
    "interfaces_json",
    "manifest",
    "write",
]
