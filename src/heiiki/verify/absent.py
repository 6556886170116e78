"""What a service has not got, and says so of itself in the configuration, where no file could."""

from collections.abc import Iterator

from heiiki.design import dot1x, enrolment, pppoe, wlan
from heiiki.plan.model import Plan
from heiiki.requirements import Stage, Verdict


def verdicts(plan: Plan) -> Iterator[Verdict]:
    """Yield a verdict for each; which subjects are expected follows from the same."""
    if enrolment.is_without(plan):
        yield enrolment.not_there(Stage.CONFIG)
    if wlan.is_wired(plan):
        yield wlan.not_there(Stage.CONFIG)
    if dot1x.is_open(plan):
        yield dot1x.not_there(Stage.CONFIG)
    if pppoe.is_without(plan):
        yield pppoe.not_there(Stage.CONFIG)
