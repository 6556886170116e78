"""Every message that is made is valid by the schemas of OpenADR 2.0b, and is read back as it was."""

import dataclasses
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from random import Random
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from lxml import etree

from heiiki_agent.openadr.codec import LIMIT, decode, encode
from heiiki_agent.openadr.errors import Malformed, NotXml, TooLarge
from heiiki_agent.openadr.messages import MESSAGES, CreateOpt, Poll
from heiiki_agent.openadr.names import NAMESPACES
from heiiki_agent.openadr.parts import QualifiedEventId
from heiiki_agent.openadr.reports import ReportRequest
from heiiki_agent.openadr.units import SCALES, UNITS, Item, PowerAttributes

SCHEMAS = Path(str(find_spec("openleadr").submodule_search_locations[0])) / "schema"  # type: ignore[union-attr,index]
NAMES = frozenset(
    found
    for name in ("oadr_20b.xsd", "oadr_ei_20b.xsd")
    for found in re.findall(r'<xs:enumeration value="([^"]*)"', (SCHEMAS / name).read_text("latin-1"))
)
"""Every value that the schemas name for something."""
FREE = ("200", "459", "0", "100", "x-own", "http://market.example/a?b=c", "")
TEXTS = ("", "umeda", " two words ", "<&>\"'", "梅田", "a\nb\tc", "\U0001f50b", "]]>")
UNIT_TEXTS = {".{1,64}": "own unit", "[A-Z]{3}": "JPY"}


@pytest.fixture(scope="session")
def schema() -> etree.XMLSchema:
    """The schemas, as the wheel of openleadr carries them."""
    return etree.XMLSchema(file=str(SCHEMAS / "oadr_20b.xsd"))


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes values of a type, with as many elements as the schema wants and up to two more."""

    random: Random

    def value(self, hint: Any) -> Any:
        """Make one."""
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            kind = arguments[0]
            allowed = [one for one in sorted({*NAMES, *FREE}) if re.fullmatch(arguments[1], one)]
            return kind(self.random.choice(allowed))
        if origin is Literal:
            return self.random.choice(arguments)
        if origin in (Union, UnionType):
            chosen = self.random.choice(arguments)
            return None if chosen is type(None) else self.value(chosen)
        return (
            self.item()
            if hint is Item
            else self.model(hint)
            if dataclasses.is_dataclass(hint)
            else self.simple(hint)
        )

    def simple(self, hint: Any) -> Any:
        """Make a value of a simple type, its extremes often."""
        random = self.random
        return {
            str: lambda: random.choice(TEXTS),
            int: lambda: random.choice((0, 1, 2**32 - 1, random.randrange(2**32))),
            float: lambda: random.choice((0.0, -0.0, 1e-300, -3.4e38, random.uniform(-1e6, 1e6))),
            bool: lambda: random.choice((False, True)),
            datetime: lambda: datetime(
                random.choice((1000, 2026, 9999)),
                random.randint(1, 12),
                28,
                23,
                59,
                59,
                random.choice((0, 1, 999_999)),
                UTC,
            ),
            timedelta: lambda: timedelta(
                seconds=random.choice((0, 1, 60, 3600, 86_400, 90_061, random.randrange(10**8)))
            ),
            Decimal: lambda: Decimal(random.randrange(10**6)) / 100,
        }[hint]()

    def item(self) -> Item:
        """Make a unit."""
        name = self.random.choice(sorted(UNITS))
        description, units = (
            UNIT_TEXTS.get(allowed) or self.random.choice(allowed.split("|")) for allowed in UNITS[name]
        )
        counts = name == "oadr:pulseCount"
        return Item(
            name=name,
            description=description,
            units=units,
            scale=None if counts else self.random.choice(SCALES),
            pulse_factor=self.simple(float) if counts else None,
            attributes=self.model(PowerAttributes) if name.startswith("power:power") else None,
        )

    def model(self, kind: Any) -> Any:
        """Make a dataclass."""
        hints = get_type_hints(kind, include_extras=True)
        parts: dict[str, Any] = {}
        for one in dataclasses.fields(kind):
            hint = hints[one.name]
            if get_origin(hint) is tuple:
                count = one.metadata["least"] + self.random.randrange(3)
                parts[one.name] = tuple(self.value(get_args(hint)[0]) for _ in range(count))
            else:
                parts[one.name] = self.value(hint)
        if kind is ReportRequest and parts["start"] is None:
            parts["duration"] = None
        elif kind is ReportRequest:
            parts["duration"] = self.simple(timedelta)
        return kind(**parts)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_valid_and_is_read_back(name: str, seed: int, schema: etree.XMLSchema) -> None:
    message = Maker(Random(seed)).model(MESSAGES[name])  # noqa: S311  # repeatable, not secret
    data = encode(message)
    schema.assertValid(etree.fromstring(data))
    assert decode(data) == message


def poll(change: Callable[[str], str]) -> bytes:
    return change(encode(Poll(ven_id="umeda")).decode()).encode()


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "data",
    [
        poll(lambda text: text.replace("?>", f"?>{BOMB}").replace("umeda", "&b;")),
        poll(lambda text: text.replace("?>", '?><!DOCTYPE x SYSTEM "file:///etc/passwd">')),
        poll(lambda text: text.replace("?>", f"?>{BOMB}")).decode().encode("utf-16"),
        poll(lambda text: text.replace("umeda", "&b;")),
        poll(lambda text: text.replace("</oadr:oadrPayload>", "")),
        poll(lambda text: text.replace("umeda", "\x00")),
        encode(Poll(ven_id="umeda")).replace(b"umeda", b"\xff"),
        b"",
        b"POST /",
    ],
    ids=["bomb", "external", "utf-16", "entity", "cut off", "nul", "latin", "empty", "text"],
)
def test_what_is_no_xml_or_declares_something_is_refused(data: bytes) -> None:
    with pytest.raises(NotXml):
        decode(data)


def test_the_encoding_that_a_text_claims_is_not_believed() -> None:
    data = poll(lambda text: text.replace("utf-8", "utf-7").replace("umeda", "+ADwAIQ-DOCTYPE"))
    assert decode(data) == Poll(ven_id="+ADwAIQ-DOCTYPE")


def test_a_message_above_the_limit_is_not_parsed() -> None:
    with pytest.raises(TooLarge, match=f"at most {LIMIT} bytes, this has {LIMIT + 1}"):
        decode(b" " * (LIMIT + 1))


WRONG = {
    "another element": (
        lambda text: text.replace("oadrPoll", "oadrPull"),
        "oadrPull: is not a message of OpenADR 2.0b",
    ),
    "another namespace": (
        lambda text: text.replace(NAMESPACES["oadr"], "http://openadr.org/oadr-2.0a/2012/07"),
        "oadrPayload: is not expected here; a message is an oadrPayload",
    ),
    "missing": (
        lambda text: text.replace("<ei:venID>umeda</ei:venID>", ""),
        "oadrPoll: venID is missing",
    ),
    "twice": (
        lambda text: text.replace("</ei:venID>", "</ei:venID><ei:venID>tenma</ei:venID>"),
        "oadrPoll/venID: is not expected here",
    ),
    "text between": (
        lambda text: text.replace("</ei:venID>", "</ei:venID>tenma"),
        "oadrPoll: has text between its elements",
    ),
    "elements in a text": (
        lambda text: text.replace("umeda", "<ei:venID>umeda</ei:venID>"),
        "oadrPoll/venID: has elements in it where a text is expected",
    ),
    "two messages": (
        lambda text: text.replace("</oadr:oadrSignedObject>", "<oadr:oadrPoll/></oadr:oadrSignedObject>"),
        "oadrSignedObject: has exactly one message",
    ),
    "two signed objects": (
        lambda text: text.replace("</oadr:oadrPayload>", "<oadr:oadrSignedObject/></oadr:oadrPayload>"),
        "oadrPayload: has a ds:Signature at most, and one oadrSignedObject",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_as_the_schema_wants_it_is_refused_with_its_place(case: str) -> None:
    change, problem = WRONG[case]
    with pytest.raises(Malformed) as error:
        decode(poll(change))
    assert error.value.description == problem


OPT = CreateOpt(
    opt_id="o-1",
    opt="optIn",
    reason="economic",
    ven_id="umeda",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    request_id="r-1",
    event=QualifiedEventId(event_id="e-1", modification=7),
)


def test_a_message_declares_the_namespaces_that_it_uses_and_no_more() -> None:
    data = encode(Poll(ven_id="umeda"))
    used = {prefix for prefix in NAMESPACES if f"<{prefix}:".encode() in data}
    assert used == {prefix for prefix in NAMESPACES if f"xmlns:{prefix}=".encode() in data} == {"oadr", "ei"}


def test_blanks_count_in_a_free_text_alone(schema: etree.XMLSchema) -> None:
    text = encode(OPT).decode()
    for word in ("optIn", "economic", "7"):
        text = text.replace(f">{word}<", f">\n {word} <")
    schema.assertValid(etree.fromstring(text.encode()))
    assert decode(text.encode()) == OPT
    spaced = decode(text.replace(">umeda<", "> umeda<").encode())
    assert isinstance(spaced, CreateOpt)
    assert spaced.ven_id == " umeda"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("optIn", "maybe", "`maybe` is not one of the values that the schema has"),
        (
            "2026-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "month must be in 1..12",
        ),
        (
            "2026-01-01T00:00:00Z",
            "1.1.2026",
            "`1.1.2026` is not a date-time in UTC, such as 2026-01-31T09:00:00Z",
        ),
        (">optIn<", "><", "`` is not one of the values that the schema has"),
        (">7<", ">-7<", "`-7` is not a whole number from 0 to 4294967295"),
        (">7<", ">4294967296<", "`4294967296` is not a whole number from 0 to 4294967295"),
    ],
)
def test_values_are_held_to_their_types(old: str, new: str, problem: str) -> None:
    with pytest.raises(Malformed) as error:
        decode(encode(OPT).decode().replace(old, new).encode())
    assert error.value.problem == problem
