"""``revoked.yml``: lines that programs add and take away, and what the plan makes of them."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from vault_server import SetUpVault

from heiiki.design import design
from heiiki.errors import RevocationError
from heiiki.intent import load, revoked
from heiiki.plan import Plan, build
from heiiki.render import compile_plan
from heiiki.service import Service, opened, reinstate

DAY = date(2026, 11, 24)
DEVICE, SIM = "umeda-gw-b", "440100000000017"


@pytest.fixture
def service(tmp_path: Path, lab_inventory: Path) -> Path:
    return Path(shutil.copytree(lab_inventory, tmp_path / "service"))


@pytest.fixture
def _server(lab_vault: SetUpVault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server that is asked whether a device is marked there, too."""
    monkeypatch.setattr(Service, "vault", lambda *_: lab_vault.access)


def text(service: Path) -> str:
    return (service / revoked.FILE).read_text(encoding="utf-8")


def test_the_first_mark_makes_the_file_and_the_second_adds_a_line(service: Path) -> None:
    assert revoked.add(service, DEVICE, "stolen", SIM, DAY)
    first = text(service)
    line = '  - {device: "umeda-gw-b", since: "2026-11-24", reason: "stolen", sim: "440100000000017"}\n'
    assert first.endswith(f"devices:\n{line}")
    assert not revoked.add(service, DEVICE, "stolen again", SIM, DAY)
    assert revoked.add(service, "namba-gw", 'a "quoted": reason #1', None, DAY)
    assert text(service).startswith(first)
    assert [mark.written.reason for mark in load(service).revoked] == ["stolen", 'a "quoted": reason #1']


WRITTEN = """\
# ours
devices:
- device: namba-gw  # in the night
  since: 2026-11-20
  reason: stolen
# and this one
- {device: umeda-ce-a, since: 2026-11-21, reason: lost}"""


def test_what_people_wrote_stays_as_it_is(service: Path) -> None:
    (service / revoked.FILE).write_text(WRITTEN)
    revoked.add(service, DEVICE, "stolen", None, DAY)
    added = '- {device: "umeda-gw-b", since: "2026-11-24", reason: "stolen"}\n'
    assert text(service) == f"{WRITTEN}\n{added}"
    assert revoked.remove(service, "namba-gw")
    assert not revoked.remove(service, "namba-gw")
    left = "# ours\ndevices:\n# and this one\n- {device: umeda-ce-a, since: 2026-11-21, reason: lost}\n"
    assert text(service) == left + added
    for name in (DEVICE, "umeda-ce-a"):
        assert revoked.remove(service, name)
    assert text(service) == "# ours\ndevices:\n# and this one\n"
    assert load(service).revoked == ()
    assert revoked.add(service, DEVICE, "stolen", None, DAY)


@pytest.mark.parametrize("before", ["devices: [{device: namba-gw, since: 2026-11-20, reason: lost}]\n", None])
def test_what_cannot_be_changed_stays_as_it_was(service: Path, before: str | None) -> None:
    if before is not None:
        (service / revoked.FILE).write_text(before)
    with pytest.raises(RevocationError, match=r"revoked.yml cannot be changed, do it by hand: "):
        revoked.add(service, DEVICE, "stolen" if before else "x" * 81, None, DAY)
    assert (text(service) if (service / revoked.FILE).exists() else None) == before


@pytest.fixture
def out(service: Path) -> Plan:
    revoked.add(service, DEVICE, "stolen", SIM, DAY)
    return build(load(service))


def test_a_marked_device_is_left_alone_and_its_sim_barred(out: Plan, lab_inventory: Path) -> None:
    before = build(load(lab_inventory))
    device = out.device(DEVICE)
    assert (device.revoked, device.managed) == ("stolen, since 2026-11-24", False)
    assert device.identity == before.device(DEVICE).identity
    for name in ("b-hss", "b-pgw"):
        sims = out.device(name).subscribers or getattr(out.device(name).pgw, "sims", ())
        had = before.device(name).subscribers or getattr(before.device(name).pgw, "sims", ())
        assert sims == tuple(sim for sim in had if sim.imsi != SIM)
        assert len(sims) == len(had) - 1
    changed = {one.name for one, other in zip(out.devices, before.devices, strict=True) if one != other}
    # The time servers forget its key.
    assert changed == {DEVICE, "b-hss", "b-pgw", "dras", "xmpp"}


def test_the_rest_of_the_service_is_still_compiled_and_examined(out: Plan) -> None:
    builds = tuple(compile_plan(out))
    assert DEVICE not in {one.device for one in builds}
    assert design(out, builds)


@pytest.mark.usefixtures("_server")
def test_a_replacement_needs_a_card_of_its_own_or_a_word(service: Path, out: Plan) -> None:
    with pytest.raises(RevocationError, match=rf"SIM {SIM} was in the device that is revoked: write the new"):
        reinstate(Service(service, out), DEVICE, service, same_sim=False)
    assert reinstate(Service(service, out), DEVICE, service, same_sim=True, check=True)
    assert load(service).revoked
    assert reinstate(Service(service, out), DEVICE, service, same_sim=True)
    again = build(load(service))
    assert again.device(DEVICE).managed
    assert SIM in {sim.imsi for sim in again.device("b-hss").subscribers}
    assert not reinstate(Service(service, again), DEVICE, service, same_sim=False)


@pytest.mark.usefixtures("_server")
def test_a_new_card_is_let_in(service: Path, out: Plan) -> None:
    assert out.device(DEVICE).revoked
    (file,) = (service / "sites").glob("*-umeda.yml")
    file.write_text(file.read_text().replace(SIM, "440100000000917"))
    assert reinstate(opened(service), DEVICE, service, same_sim=False)


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85"])
def test_a_character_that_only_python_takes_for_the_end_of_a_line_moves_nothing(
    service: Path, char: str
) -> None:
    entries = [
        f"- {{device: {name}, since: 2026-11-20, reason: lost}}" for name in ("namba-gw", "umeda-ce-a")
    ]
    (service / revoked.FILE).write_text(
        f"# a{char}b{char}c\ndevices:\n" + "\n".join(entries), encoding="utf-8"
    )
    assert revoked.remove(service, "umeda-ce-a")
    assert text(service) == f"# a{char}b{char}c\ndevices:\n{entries[0]}\n"


def test_windows_lines_and_a_byte_order_mark_stay(service: Path) -> None:
    before = b"\xef\xbb\xbfdevices:\r\n- {device: namba-gw, since: 2026-11-20, reason: lost}\r\n"
    (service / revoked.FILE).write_bytes(before)
    assert revoked.add(service, DEVICE, "stolen", None, DAY)
    added = b'- {device: "umeda-gw-b", since: "2026-11-24", reason: "stolen"}\r\n'
    assert (service / revoked.FILE).read_bytes() == before + added
    assert revoked.remove(service, DEVICE)
    assert (service / revoked.FILE).read_bytes() == before


@pytest.mark.parametrize("between", [", ", ",\n  "])
def test_taking_one_mark_away_never_takes_another(service: Path, between: str) -> None:
    entries = (f"{{device: {name}, since: 2026-11-20, reason: a}}" for name in ("namba-gw", "umeda-ce-a"))
    written = f"devices: [{between.join(entries)}]\n"
    (service / revoked.FILE).write_text(written)
    for change in (
        lambda: revoked.remove(service, "namba-gw"),
        lambda: revoked.add(service, DEVICE, "x", None),
    ):
        with pytest.raises(RevocationError, match="cannot be changed, do it by hand: "):
            change()
        assert text(service) == written
    assert [mark.written.device for mark in load(service).revoked] == ["namba-gw", "umeda-ce-a"]


@pytest.mark.parametrize("day", [date(2099, 1, 1)])
def test_a_day_to_come_is_not_written(service: Path, day: date) -> None:
    with pytest.raises(RevocationError, match="has not come yet"):
        revoked.add(service, DEVICE, "stolen", None, day)
    assert not (service / revoked.FILE).exists()
