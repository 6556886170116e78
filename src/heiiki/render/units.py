"""Systemd units of ours, which are the same on every device."""

from functools import cache

from heiiki.render.model import RenderedFile
from heiiki.render.templates import render

FOLDER = "/etc/systemd/system"


@cache
def unit(name: str) -> RenderedFile:
    """Return the unit of a service."""
    return RenderedFile(f"{FOLDER}/{name}.service", render(f"linux/{name}.service.j2"), service=name)
