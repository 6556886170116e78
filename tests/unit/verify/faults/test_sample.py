"""The handful of faults that stands for all of them."""

from collections import Counter
from dataclasses import replace

from heiiki.plan.model import ElementKind, FailureMode, Fault, Plan
from heiiki.verify.faults.sample import sample


def one_way(mode: FailureMode) -> object:
    return "one way" if mode in (FailureMode.SILENT_A, FailureMode.SILENT_B) else mode


def traits(faults: tuple[Fault, ...]) -> set[object]:
    found: set[object] = {one_way(fault.mode) for fault in faults}
    return found | {(fault.network, fault.kind) for fault in faults}


def test_the_sample_of_the_worked_example(plan: Plan) -> None:
    assert [fault.name for fault in sample(plan)] == [
        "a-pe2/kill",
        "a-pe2/bgpd-hung",
        "a-p1--a-pe2/silent",
        "a-p1--a-pe2/lossy",
        "hub-lan--hub-ce-a/down",
        "b-enb/poweroff",
        "S1-U:b-enb--b-sgw/silent-a",
        "b-edge/bgpd-dead",
        "umeda-bems/vault-flood",
        "dras/mms-client-killed",
        "dras/vtn-killed",
    ]


def test_each_way_in_which_a_part_of_an_element_fails_is_in_it_once(plan: Plan) -> None:
    found = Counter(one_way(fault.mode) for fault in sample(plan))
    parts = (
        "one way",
        FailureMode.LOSSY,
        FailureMode.HUNG,
        FailureMode.DEAD,
    )
    assert {mode: found[mode] for mode in parts} == dict.fromkeys(parts, 1)


def test_every_network_failure_mode_and_kind_of_element_is_in_it(plan: Plan) -> None:
    # The Vault server, on the hub's LAN, carries no packet of the service.
    whole = (ElementKind.NETWORK, ElementKind.FLOOD)
    elements = tuple(fault for fault in plan.faults if fault.kind not in whole)
    chosen = tuple(fault for fault in sample(plan) if fault.kind is not ElementKind.FLOOD)
    assert traits(chosen) == traits(elements) - {(None, ElementKind.NODE)}


def test_one_flood_stands_for_all(plan: Plan) -> None:
    found = [fault.name for fault in sample(plan) if fault.kind is ElementKind.FLOOD]
    assert found == ["umeda-bems/vault-flood"]


def test_one_end_of_openadr_is_killed_and_after_all_others(plan: Plan) -> None:
    assert [fault.name for fault in sample(plan)][-2:] == ["dras/mms-client-killed", "dras/vtn-killed"]
    assert [fault.target for fault in plan.faults][-4:] == ["dras", "umeda-bems", "namba-erc", "sakai-bems"]


def test_one_end_of_direct_control_is_killed(plan: Plan) -> None:
    orders = [fault.name for fault in plan.faults if fault.kind is ElementKind.ORDERS]
    assert orders == [
        "dras/mms-client-killed",
        "umeda-bems/mms-server-killed",
        "sakai-bems/mms-server-killed",
    ]
    assert [fault.name for fault in sample(plan) if fault.kind is ElementKind.ORDERS] == orders[:1]


def test_it_depends_on_the_plan_alone_and_not_on_names(plan: Plan) -> None:
    renamed = tuple(replace(fault, target=f"other-{fault.target}") for fault in plan.faults)
    paths = tuple(
        replace(path, elements=tuple(f"other-{element}" for element in path.elements)) for path in plan.paths
    )
    names = [f"other-{fault.name}" for fault in sample(plan)]
    assert [fault.name for fault in sample(replace(plan, faults=renamed, paths=paths))] == names


def test_exempt_faults_are_not_in_it(plan: Plan) -> None:
    exempt = {fault.name for fault in plan.faults if fault.exempt}
    assert exempt
    only = tuple(replace(fault, exempt="a clause") for fault in plan.faults)
    assert sample(replace(plan, faults=only)) == ()
    assert not exempt & {fault.name for fault in sample(plan)}
