"""What a service has not got, and says so of itself in the configuration, where no file could."""

from collections.abc import Iterator

from heiiki.design import dot1x, enrolment, pppoe, wlan
from heiiki.plan.model import Plan
from heiiki.requirements import Stage, Verdict

_EVERY = (enrolment.ABSENT, wlan.ABSENT, dot1x.ABSENT, pppoe.ABSENT)


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield a verdict for each; which subjects are expected follows from the same."""
    for one in _EVERY:
        yield from one.verdicts(plan, Stage.CONFIG)
