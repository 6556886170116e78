"""The plan: everything that follows from the intent, resolved and frozen.

The plan is the only thing that the rest of Heiiki reads. It is a pure function of the intent: deterministic,
and append-only in that adding or removing a site changes no value of another.
"""

from heiiki.plan.build import build
from heiiki.plan.model import Plan

__all__ = ["Plan", "build"]
