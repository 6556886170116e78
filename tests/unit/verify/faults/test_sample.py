"""The handful of faults that stands for all of them."""

from dataclasses import replace

from heiiki.plan.model import Fault, Plan
from heiiki.verify.faults.sample import sample


def traits(faults: tuple[Fault, ...]) -> set[object]:
    found: set[object] = {fault.mode for fault in faults}
    return found | {(fault.network, fault.kind) for fault in faults}


def test_the_sample_of_the_worked_example(plan: Plan) -> None:
    assert [fault.name for fault in sample(plan)] == [
        "a-pe2/kill",
        "a-p1--a-pe2/silent",
        "hub-lan--hub-ce-a/down",
        "b-enb/poweroff",
        "S1-U:b-enb--b-sgw/silent",
    ]


def test_every_network_failure_mode_and_kind_of_element_is_in_it(plan: Plan) -> None:
    assert traits(sample(plan)) == traits(plan.faults)


def test_it_depends_on_the_plan_alone_and_not_on_names(plan: Plan) -> None:
    renamed = tuple(replace(fault, target=f"other-{fault.target}") for fault in plan.faults)
    names = [f"other-{fault.name}" for fault in sample(plan)]
    assert [fault.name for fault in sample(replace(plan, faults=renamed))] == names


def test_exempt_faults_are_not_in_it(plan: Plan) -> None:
    exempt = {fault.name for fault in plan.faults if fault.exempt}
    assert exempt
    only = tuple(replace(fault, exempt="a clause") for fault in plan.faults)
    assert sample(replace(plan, faults=only)) == ()
    assert not exempt & {fault.name for fault in sample(plan)}
