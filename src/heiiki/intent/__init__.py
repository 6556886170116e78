"""The intent: what a person writes, typed and checked."""

from heiiki.intent.load import digest, load
from heiiki.intent.model import Intent, Service, Site

__all__ = ["Intent", "Service", "Site", "digest", "load"]
