"""How files become the intent: plain values, places and digest."""

import shutil
from pathlib import Path

import pytest

from heiiki.errors import IntentError, printable
from heiiki.intent import load
from heiiki.intent.consistency import RESERVED_NAMES
from heiiki.intent.numbers import plainly
from heiiki.intent.yaml_source import YamlSource, dotted
from heiiki.plan import build
from heiiki.plan.model import Role

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"


def source(text: str) -> YamlSource:
    return YamlSource(Path("x.yml"), text)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("17", 17),
        ("-3", -3),
        ("0", 0),
        ("1.5", 1.5),
        ("10.", 10.0),
        ("1.0e+3", 1000.0),
        ("true", True),
        ("False", False),
        ("yes", "yes"),
        ("no", "no"),
        ("off", "off"),
        ("2026-01-01", "2026-01-01"),
        ("1e5", "1e5"),
        ("~", None),
        ("", None),
        ('"0017"', "0017"),
        ("440100000000017", 440100000000017),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("[a, 1]", ["a", 1]),
        ("{b: {c: d}}", {"b": {"c": "d"}}),
    ],
)
def test_plain_values(written: str, value: object) -> None:
    read = source(f"a: {written}\n")
    assert (read.problems, read.value) == ([], {"a": value})
    assert type(read.value["a"]) is type(value)


@pytest.mark.parametrize(
    "written", ["017", "0x1f", "0b1", "1_000", "1:30", "1:30.5", ".inf", ".nan", "9" * 5000]
)
def test_numbers_that_people_read_otherwise(written: str) -> None:
    (problem,) = source(f"a: {written}\n").problems
    assert (problem.line, problem.column, problem.what) == (1, 4, f"`{written[:40]}` is not a plain number")


@pytest.mark.parametrize(
    ("loc", "place"),
    [
        (("a",), (1, 1)),
        (("b", "c"), (3, 3)),
        (("b", "c", 1), (5, 7)),
        (("b", "c", 7), (3, 3)),
        (("b", "missing"), (2, 1)),
        (("missing",), (1, 1)),
        ((), (1, 1)),
    ],
)
def test_places_of_keys(loc: tuple[str | int, ...], place: tuple[int, int]) -> None:
    assert source("a: 1\nb:\n  c:\n    - 1\n    - 2\n").position(loc) == place


def test_paths_as_people_write_them() -> None:
    assert dotted(("resources", 0, "kind")) == "resources[0].kind"


def test_what_steers_a_terminal_is_escaped() -> None:
    assert printable("a\x1b[31m\u202eb\x9b大阪\n") == "a\\x1b[31m\\u202eb\\x9b大阪\\n"


def test_sites_come_in_the_order_of_their_numbers() -> None:
    assert [site.number for site in load(EXAMPLE).sites] == [17, 23, 42]


def test_digest_follows_every_file_and_no_place(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(EXAMPLE, copy)
    before = load(EXAMPLE).digest
    assert load(copy).digest == before
    retired = copy / "retired.yml"
    retired.write_text(retired.read_text() + "# one more line\n")
    assert load(copy).digest != before


@pytest.mark.parametrize(
    ("written", "value"), [(".5", 0.5), ("2.6e+5", 260000.0), ("yes", "yes"), ("2.6e5", "2.6e5")]
)
def test_figures_as_yaml_reads_them(written: str, value: object) -> None:
    assert source(f"a: {written}\n").value == {"a": value}


@pytest.mark.parametrize("written", ["2.6e5", "26e4", "260000.", "2.6e+5", "2.6E5"])
def test_a_figure_may_have_an_exponent(tmp_path: Path, written: str) -> None:
    copy = shutil.copytree(EXAMPLE, tmp_path / "copy")
    service = copy / "service.yml"
    text = service.read_text()
    service.write_text(text.replace("ce_router: {mtbf_h: 260000", f"ce_router: {{mtbf_h: {written}"))
    assert load(copy).service.reliability == load(EXAMPLE).service.reliability


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("2.6e5", "260000"),
        ("260,000", "260000"),
        ("260 000 h", "260000"),
        ("1,234,567.50", "1234567.5"),
        ("２６０", "260"),  # noqa: RUF001 - full-width digits are meant
        (".5", "0.5"),
        ("1e99", "1" + "0" * 99),
        ("26,00", None),
        ("many", None),
        ("", None),
    ],
)
def test_a_number_in_plain_digits(written: str, digits: str | None) -> None:
    assert plainly(written) == digits


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85"])
def test_what_no_editor_counts_as_a_line_is_no_line(char: str) -> None:
    read = source(f"# a{char}b\na: 1{char}2\nb:\n- c: 'x{char}y'\n")
    assert (read.problems, read.value) == ([], {"a": f"1{char}2", "b": [{"c": f"x{char}y"}]})
    assert read.position(("b", 0, "c")) == (4, 3)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_and_windows_lines_move_nothing(mark: str, ending: str) -> None:
    read = source(f"{mark}a: 1{ending}b: 'x'  #y{ending}c: x #2 (east){ending}")
    assert (read.value, read.position(("a",)), read.position(("c",))) == (
        {"a": 1, "b": "x", "c": "x"},
        (1, 1),
        (3, 1),
    )
    assert [read.comment_behind((key,)) for key in "abc"] == ["", "", "#2 (east)"]


def test_every_device_and_group_of_a_service_is_reserved() -> None:
    """What the plan calls something else may not be a site's name: the inventory knows one group a site."""
    plan = build(load(EXAMPLE))
    hosts = {device.name for device in plan.devices if device.name.isidentifier()}
    assert hosts | {str(role) for role in Role} <= RESERVED_NAMES


def test_a_former_key_is_read_with_a_notice_that_says_where_it_stands(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    file = tmp_path / "lab" / "service.yml"
    text = file.read_text(encoding="utf-8")
    line = text[: text.index("test_equipment:")].count("\n") + 1
    file.write_text(text.replace("test_equipment:", "witnesses:"), encoding="utf-8")
    found = load(tmp_path / "lab")
    assert found.service == load(EXAMPLE).service
    notice = (
        f"{file}:{line}:1: witnesses: the key is called `test_equipment`; "
        "rename it: release 0.3.0 refuses the former name"
    )
    assert found.notices == (notice,)
    assert load(EXAMPLE).notices == ()


def test_a_file_of_host_keys_that_is_not_there_is_named_with_its_place(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "lab")
    file = tmp_path / "lab/service.yml"
    ssh = "kind: ssh, user: ops, sources: [192.168.200.0/24], known_hosts: keys/known_hosts"
    file.write_text(file.read_text().replace("kind: lab", ssh))
    with pytest.raises(IntentError) as caught:
        load(tmp_path / "lab")
    (problem,) = caught.value.problems
    assert problem.where == "management.known_hosts"
    assert problem.what == f"there is no file {tmp_path}/lab/keys/known_hosts"
