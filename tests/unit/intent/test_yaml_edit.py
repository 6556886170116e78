"""Site files changed in place: the values are the wanted ones, and nothing else moves."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from heiiki.intent.yaml_edit import EditError, composed, edited, merged
from heiiki.intent.yaml_source import YamlSource

FILE = Path("0017-umeda.yml")
TEXT = """\
# An order of the spring.
number: 17                      # permanent
name: umeda

customer: 'Kita Building'   # who pays
resources:                      # what is controlled
  # the old one
  - {kind: battery, control: direct}   # in the cellar
  - kind: heat_storage          # on the roof
    control: indirect
# the line
a: {access: ethernet, circuit: A-7781, pe: pe2}
b:
  # the card
  sim: "440100000000017"
"""
COMMENT = re.compile("#.*")


def changed(wanted: dict[str, Any], text: str = TEXT) -> str:
    return edited(FILE, text, wanted)


@pytest.mark.parametrize(
    ("wanted", "old", "new"),
    [
        ({"number": 18}, "number: 17 ", "number: 18 "),
        ({"customer": "Minami"}, "'Kita Building'", '"Minami"'),
        ({"name": "no"}, "name: umeda", 'name: "no"'),
        ({"name": "a # b"}, "name: umeda", 'name: "a # b"'),
        ({"a": {"pe": "pe3"}}, "pe: pe2}", "pe: pe3}"),
        ({"a": {"mtu": 1500}}, "pe: pe2}", "pe: pe2, mtu: 1500}"),
        ({"b": {"sim": "4"}}, '"440100000000017"', '"4"'),
        ({"b": {"bandwidth_kbps": 64}}, '17"\n', '17"\n  bandwidth_kbps: 64\n'),
        ({"primary": "a"}, '17"\n', '17"\nprimary: a\n'),
        (
            {"site_lan": {"medium": "wifi", "channel": 6}},
            '17"\n',
            '17"\nsite_lan: {medium: wifi, channel: 6}\n',
        ),
        (
            {"resources": [{"kind": "battery", "control": "direct"}]},
            "  - kind: heat_storage          # on the roof\n    control: indirect\n",
            "",
        ),
        (
            {"resources": 3 * [{"kind": "battery", "control": "direct"}]},
            "kind: heat_storage          # on the roof\n    control: indirect\n",
            (
                "kind: battery          # on the roof\n    control: direct\n"
                "  - {kind: battery, control: direct}\n"
            ),
        ),
    ],
    ids=str,
)
def test_a_value_is_changed_where_it_stands(wanted: dict[str, Any], old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changed(wanted) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"number": 17, "a": {"circuit": "A-7781"}},
        # The same resources in another order are the same resources.
        {
            "resources": [
                {"kind": "heat_storage", "control": "indirect"},
                {"kind": "battery", "control": "direct"},
            ]
        },
    ],
)
def test_what_is_there_already_is_left(wanted: dict[str, Any]) -> None:
    assert changed(wanted) == TEXT


def test_the_ends_of_lines_and_the_byte_order_mark_stay() -> None:
    text = "\ufeff" + TEXT.replace("\n", "\r\n")
    found = changed({"primary": "a", "number": 18}, text)
    assert found == text.replace("number: 17", "number: 18") + "primary: a\r\n"


def test_a_file_without_a_last_line_end_gets_a_line() -> None:
    assert changed({"primary": "a"}, "number: 17  # it") == "number: 17  # it\nprimary: a"


def test_a_list_in_brackets_grows_and_shrinks() -> None:
    text = "resources: [{kind: battery, control: direct}, {kind: battery, control: indirect}]  # two\n"
    one, two = {"kind": "battery", "control": "direct"}, {"kind": "battery", "control": "indirect"}
    assert changed({"resources": [one]}, text) == "resources: [{kind: battery, control: direct}]  # two\n"
    assert changed({"resources": [one, two, one]}, text) == text.replace(
        "]", ", {kind: battery, control: direct}]"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a: none\n", {"a": {"pe": "pe1"}}),
        ("number: {a: 1}\n", {"number": 1}),
        ("resources: []\n", {"resources": [{"kind": "battery"}]}),
        ("- number: 1\n", {"number": 1}),
    ],
)
def test_another_make_of_file_is_refused(text: str, wanted: dict[str, Any]) -> None:
    with pytest.raises(EditError):
        changed(wanted, text)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
ITEMS = st.fixed_dictionaries({"kind": st.sampled_from(["x", "y"]), "control": TEXTS})
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "number": st.integers(0, 9999),
        "customer": TEXTS,
        "primary": TEXTS,
        "resources": st.lists(ITEMS, min_size=1, max_size=4),
        "a": st.fixed_dictionaries({}, optional={"pe": TEXTS, "mtu": st.integers(0, 9000)}),
        "b": st.fixed_dictionaries({}, optional={"sim": TEXTS, "more": TEXTS}),
    },
)


@given(WANTED)
def test_any_values_are_read_back_and_no_comment_is_lost(wanted: dict[str, Any]) -> None:
    before = YamlSource(FILE, TEXT).value
    after = changed(wanted)
    assert YamlSource(FILE, after).value == merged(before, wanted)
    kept = [one for one in COMMENT.findall(TEXT) if "on the roof" not in one and "in the cellar" not in one]
    assert [one for one in kept if one not in after] == []
    assert changed(wanted, after) == after


@given(st.fixed_dictionaries({"number": st.integers(), "name": TEXTS, "r": st.lists(ITEMS, min_size=1)}))
def test_a_new_file_holds_the_values(values: dict[str, Any]) -> None:
    source = YamlSource(FILE, composed(values))
    if not source.problems:
        assert source.value == values


def test_a_new_file_is_written_as_people_write_it() -> None:
    values = {
        "number": 1,
        "name": "true",
        "customer": "北 ビル",
        "resources": ({"kind": "battery", "control": "direct"},),
        "b": {"sim": "440100000000017"},
    }
    text = composed(values)
    assert text == (
        'number: 1\nname: "true"\ncustomer: 北 ビル\nresources:\n  - {kind: battery, control: direct}\n'
        'b: {sim: "440100000000017"}\n'
    )
    assert yaml.safe_load(text)["customer"] == "北 ビル"
