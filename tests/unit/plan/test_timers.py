"""What the timers of a profile owe one another."""

import pytest

from heiiki.plan.model import Timers
from heiiki.plan.timers import PROFILES


@pytest.mark.parametrize("timers", PROFILES.values(), ids=PROFILES)
def test_a_tunnel_notices_before_the_lines_below_it(timers: Timers) -> None:
    """Else they withdraw a tunnel's end before the far end can be told (D5)."""
    earliest = timers.underlay.interval_ms * (timers.underlay.multiplier - 1)
    assert earliest > timers.active.detection_ms
