import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from heiiki.errors import LabError
from heiiki.plan.model import ElementKind, FailureMode, Program
from heiiki.plan.model import Fault as PlannedFault
from heiiki.verify.faults.injector import Injection
from heiiki_lab import faults, state
from heiiki_lab.agent import program_fault
from heiiki_lab.client import Completed
from heiiki_lab.faults import Fault, Injector, Look, look_of, steps_between
from heiiki_lab.guest_client import Span
from heiiki_lab.injector import LabInjector
from heiiki_lab.spec import Endpoint, LabSpec, LinkSpec, NodeSpec
from heiiki_lab.wiring import Lab

A, B = Endpoint("h1", "eth0"), Endpoint("h2", "eth0")
C, D = Endpoint("h2", "eth1"), Endpoint("h3", "eth0")
SPEC = LabSpec(
    "lab", (NodeSpec("h1"), NodeSpec("h2"), NodeSpec("h3")), (LinkSpec("one", A, B), LinkSpec("two", C, D))
)
SILENT = "loss 100%"


def fault(mode: str) -> PlannedFault:
    """A failure of link `one` as the plan names it."""
    return PlannedFault("one", ElementKind.LINK, FailureMode(mode), None, ())


class FakeGuest:
    """Stands in for both clients: keeps what was asked in order."""

    def __init__(self) -> None:
        self.calls: list[object] = []
        self.refuses = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def batch(self, steps: Sequence[tuple[str, str, Sequence[str]]]) -> Span:
        self.calls.append(list(steps))
        return Span(1.0, 1.5)

    def ping(self) -> float:
        return 0.5

    def python(self, source: str, *, argv: Sequence[str]) -> Completed:
        self.calls.append((source, *argv))
        said = json.dumps({"error": self.refuses} if self.refuses else {"began": 3.0, "ended": 3.5})
        return Completed("h1", ("python3",), 0, said.encode(), b"")

    def kill_all(self) -> float:
        self.calls.append("kill_all")
        return 2.5

    def exec(self, argv: Sequence[str]) -> Completed:
        self.calls.append(f"run {argv[0]}")
        return Completed("h3", tuple(argv), 0, b"", b"")


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> FakeGuest:
    fake = FakeGuest()
    monkeypatch.setattr(faults, "GuestClient", lambda _path: fake)
    monkeypatch.setattr(faults, "NodeClient", lambda _path: fake)
    return fake


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    with state.hold(tmp_path):
        yield tmp_path


@pytest.mark.parametrize(
    ("applied", "expected"),
    [
        ((), {}),
        ((Fault("one", "link", "silent"),), {A: Look(queue=SILENT), B: Look(queue=SILENT)}),
        ((Fault("one", "link", "silent", str(B)),), {B: Look(queue=SILENT)}),
        ((Fault("two", "link", "down"),), {C: Look(down=True)}),
        ((Fault("h2", "node", "kill"),), {}),
        ((Fault("h2", "node", "poweroff"),), dict.fromkeys((A, B, C, D), Look(queue=SILENT))),
        (
            (Fault("one", "link", "impair", None, 20, 1.5), Fault("one", "link", "silent", str(A))),
            {A: Look(queue=SILENT), B: Look(queue="delay 20ms loss 1.5%")},
        ),
        (
            (Fault("h3", "node", "poweroff"), Fault("two", "link", "down")),
            {C: Look(down=True, queue=SILENT), D: Look(queue=SILENT)},
        ),
    ],
)
def test_what_interfaces_must_look_like(applied: faults.Faults, expected: dict[Endpoint, Look]) -> None:
    assert look_of(SPEC, applied) == expected


def test_steps_lead_from_one_look_to_the_other_and_back() -> None:
    broken = {A: Look(queue=SILENT), C: Look(down=True)}
    assert steps_between({}, broken) == [
        ("h1", "tc", ["qdisc replace dev eth0 root netem loss 100%"]),
        ("h2", "ip", ["link set dev eth1 down"]),
    ]
    assert steps_between(broken, {}) == [
        ("h1", "tc", ["qdisc delete dev eth0 root"]),
        ("h2", "ip", ["link set dev eth1 up"]),
    ]
    assert steps_between(broken, broken) == []


PACED = LabSpec("lab", SPEC.nodes, (LinkSpec("one", A, B, rate_a=8000, rate_b=4000), LinkSpec("two", C, D)))


@pytest.mark.parametrize(
    ("applied", "queues"),
    [
        ((), ("rate 8000kbit -14", "rate 4000kbit -14")),
        ((Fault("one", "link", "silent"),), (SILENT, SILENT)),
        ((Fault("one", "link", "silent", str(A)),), (SILENT, "rate 4000kbit -14")),
        (
            (Fault("one", "link", "impair", None, 0, 30),),
            ("delay 0ms loss 30% rate 8000kbit -14", "delay 0ms loss 30% rate 4000kbit -14"),
        ),
    ],
)
def test_a_line_keeps_its_rate_while_it_fails_and_afterwards(
    applied: faults.Faults, queues: tuple[str, str]
) -> None:
    looks = look_of(PACED, applied)
    assert (looks[A].queue, looks[B].queue) == queues
    back = steps_between(looks, look_of(PACED, ()))
    assert {line for _, _, (line,) in back} == {
        f"qdisc replace dev eth0 root netem rate {kbps}kbit -14"
        for kbps, was in ((8000, queues[0]), (4000, queues[1]))
        if was != f"rate {kbps}kbit -14"
    }


def test_overlapping_faults_heal_one_by_one(guest: FakeGuest, running: Path) -> None:
    injector = Injector(SPEC, running)
    injector.fail_link("one", "silent")
    injector.fail_node("h1", "poweroff")
    assert injector.heal("one") == Span(1.0, 1.5)
    assert guest.calls[-1] == []
    assert [str(fault) for fault in injector.applied()] == ["poweroff"]
    injector.heal_all()
    assert guest.calls[-1] == [
        ("h1", "tc", ["qdisc delete dev eth0 root"]),
        ("h2", "tc", ["qdisc delete dev eth0 root"]),
    ]
    assert injector.applied() == ()


def test_a_node_without_power_sends_no_farewell(guest: FakeGuest, running: Path) -> None:
    assert Injector(SPEC, running).fail_node("h3", "poweroff") == Span(1.0, 2.5)
    assert guest.calls == [
        [
            ("h2", "tc", ["qdisc replace dev eth1 root netem loss 100%"]),
            ("h3", "tc", ["qdisc replace dev eth0 root netem loss 100%"]),
        ],
        "kill_all",
        "run sh",
    ]


def test_a_healed_node_is_started_again_once_its_links_are_back(guest: FakeGuest, running: Path) -> None:
    injector = Injector(SPEC, running, lambda node: guest.calls.append(f"restart {node}"))
    assert injector.fail_node("h2", "kill") == Span(1.0, 2.5)
    injector.fail_link("two", "down")
    injector.heal_all()
    assert guest.calls[-2:] == [[("h2", "ip", ["link set dev eth1 up"])], "restart h2"]


def test_a_program_fails_and_is_mended_on_its_node(guest: FakeGuest, running: Path) -> None:
    injector = Injector(SPEC, running)
    assert injector.fail_program("h1", "bgpd", "hung") == Span(3.0, 3.5)
    assert guest.calls[-1] == (faults._ON_NODE, "fail", "bgpd", "hung")
    assert faults.faults_of_node(injector.applied(), "h1") == ("bgpd hung",)
    injector.heal("h1")
    assert guest.calls[-1] == (faults._ON_NODE, "mend", "bgpd")
    assert injector.applied() == ()


def test_a_program_that_cannot_be_failed_is_not_written_down(guest: FakeGuest, running: Path) -> None:
    guest.refuses = "bgpd does not run, so it cannot be failed"
    injector = Injector(SPEC, running)
    with pytest.raises(LabError, match="h1: bgpd does not run, so it cannot be failed"):
        injector.fail_program("h1", "bgpd", "dead")
    assert injector.applied() == ()


def test_a_program_of_a_node_that_lost_its_power_is_not_mended_apart(guest: FakeGuest, running: Path) -> None:
    injector = Injector(SPEC, running)
    injector.fail_program("h1", "bgpd", "dead")
    injector.fail_node("h1", "kill")
    guest.calls.clear()
    injector.heal("h1")
    assert guest.calls == [[]]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (fault("silent"), {A: SILENT, B: SILENT}),
        (fault("silent-a"), {A: SILENT}),
        (fault("silent-b"), {B: SILENT}),
        (fault("lossy"), dict.fromkeys((A, B), "delay 0ms loss 30%")),
        (fault("down"), {A: ""}),
    ],
    ids=lambda value: value.mode if isinstance(value, PlannedFault) else "",
)
@pytest.mark.usefixtures("guest")
def test_each_mode_of_the_plan_on_a_link(
    running: Path, fault: PlannedFault, expected: dict[Endpoint, str]
) -> None:
    lab = LabInjector(Lab(SPEC, running))
    assert lab.fail(fault) == Injection(1.0, 1.5)
    looks = look_of(SPEC, faults.load_faults(running))
    assert {end: look.queue for end, look in looks.items()} == expected


def test_each_mode_of_the_plan_on_a_program(guest: FakeGuest, running: Path) -> None:
    lab = LabInjector(Lab(SPEC, running))
    for mode in (FailureMode.HUNG, FailureMode.DEAD):
        lab.fail(PlannedFault("h1", ElementKind.PROGRAM, mode, None, (), program=Program.CHARON))
        assert guest.calls[-1] == (faults._ON_NODE, "fail", "charon", mode)


def test_every_program_of_the_plan_is_found_on_a_node() -> None:
    assert set(program_fault._PLACES) == set(Program)


def test_a_refused_change_is_not_written_down(
    guest: FakeGuest, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_steps: object) -> Span:
        raise LabError("h1: tc: Cannot find device")

    monkeypatch.setattr(guest, "batch", refuse)
    injector = Injector(SPEC, running)
    with pytest.raises(LabError, match="Cannot find device"):
        injector.fail_link("one", "silent")
    assert injector.applied() == ()


def test_words_for_the_status(guest: FakeGuest, running: Path) -> None:
    injector = Injector(SPEC, running)
    injector.fail_link("one", "silent", A)
    injector.impair("one", delay_ms=10, loss_percent=0.5)
    injector.fail_node("h2", "kill")
    applied = injector.applied()
    assert faults.faults_of_link(applied, "one") == ("silent from h1:eth0", "impair 10 ms 0.5 %")
    assert faults.faults_of_link(applied, "two") == ()
    assert faults.faults_of_node(applied, "h2") == ("kill",)


@pytest.mark.usefixtures("guest")
def test_wrong_targets_are_refused_with_the_known_ones(running: Path) -> None:
    injector = Injector(SPEC, running)
    with pytest.raises(LabError, match="no link 'x' in the lab; known links: one, two"):
        injector.fail_link("x", "silent")
    with pytest.raises(LabError, match="no node 'x' in the lab; known nodes: h1, h2, h3"):
        injector.fail_node("x", "kill")
    with pytest.raises(LabError, match="no node or link 'x'; nodes: h1, h2, h3; links: one, two"):
        injector.heal("x")
    with pytest.raises(LabError, match="one has no fault to heal; failed now: nothing"):
        injector.heal("one")
    with pytest.raises(LabError, match="only silent goes one way, from h1:eth0 or h2:eth0"):
        injector.fail_link("one", "silent", D)
    with pytest.raises(LabError, match="only silent goes one way"):
        injector.fail_link("one", "down", A)
    with pytest.raises(LabError, match="loss 101 within 0-100 %"):
        injector.impair("one", loss_percent=101)


@pytest.mark.usefixtures("guest")
def test_no_lab_no_fault(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not up; run `heiiki lab up`"):
        Injector(SPEC, tmp_path).fail_link("one", "silent")
