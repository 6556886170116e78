"""Units of measurement: the elements that may stand for emix:itemBase (oadr_20b.xsd, oadr_power_20b.xsd)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from lxml import etree

from heiiki_agent.openadr.binding import Element, Kind, Model, Text, element, read_element
from heiiki_agent.openadr.errors import Malformed
from heiiki_agent.openadr.names import local, tag

_ANY = ".{1,64}"
_CURRENCY = ("currency|currencyPerKW|currencyPerKWh", "[A-Z]{3}")
UNITS: Mapping[str, tuple[str, str]] = {
    "power:voltage": ("Voltage", "V"),
    "power:energyApparent": ("ApparentEnergy", "VAh"),
    "power:energyReactive": ("ReactiveEnergy", "VARh"),
    "power:energyReal": ("RealEnergy", "Wh"),
    "power:powerApparent": ("ApparentPower", "VA"),
    "power:powerReactive": ("ReactivePower", "VAR"),
    "power:powerReal": ("RealPower", "W|J/s"),
    "oadr:current": ("Current", "A"),
    "oadr:frequency": ("Frequency", "Hz"),
    "oadr:Therm": ("Therm", "thm"),
    "oadr:temperature": ("temperature", "celsius|fahrenheit"),
    "oadr:pulseCount": ("pulse count", "count"),
    "oadr:customUnit": (_ANY, _ANY),
    "oadr:currency": _CURRENCY,
    "oadr:currencyPerKWh": _CURRENCY,
    "oadr:currencyPerKW": _CURRENCY,
    "oadr:currencyPerThm": _CURRENCY,
}
"""Element, and what its itemDescription and its itemUnits may be."""

SCALES = ("p", "n", "micro", "m", "c", "d", "k", "M", "G", "T", "none")
_SCALE, _FACTOR, _ATTRIBUTES = "scale:siScaleCode", "oadr:pulseFactor", "power:powerAttributes"


@dataclass(frozen=True, kw_only=True)
class PowerAttributes:
    """Of which current a power is."""

    hertz: Decimal = element("power:hertz")
    voltage: Decimal = element("power:voltage")
    ac: bool = element("power:ac")


class ItemKind:
    """Reads and writes a unit: its children's namespace is its own, so no fixed path names them."""

    def read(self, node: Element) -> "Item":
        """Return the unit that the element names."""
        name = next(one for one in UNITS if tag(one) == node.tag)
        parts = {str(child.tag): child for child in node}
        try:
            item = Item(
                name=name,
                description=_text(parts.pop(_own(name, "itemDescription"), None)),
                units=_text(parts.pop(_own(name, "itemUnits"), None)),
                scale=_text(parts.pop(tag(_SCALE), None)) or None,
                pulse_factor=_optional(Text(float, None), parts.pop(tag(_FACTOR), None)),
                attributes=_optional(Model(PowerAttributes), parts.pop(tag(_ATTRIBUTES), None)),
            )
        except ValueError as error:
            raise Malformed(str(error)) from error
        if parts:
            raise Malformed("is not expected here", local(next(iter(parts))))
        return item

    def write(self, value: "Item", node: Element) -> None:
        """Write the unit."""
        etree.SubElement(node, _own(value.name, "itemDescription")).text = value.description
        etree.SubElement(node, _own(value.name, "itemUnits")).text = value.units
        if value.scale is not None:
            etree.SubElement(node, tag(_SCALE)).text = value.scale
        if value.pulse_factor is not None:
            Text(float, None).write(value.pulse_factor, etree.SubElement(node, tag(_FACTOR)))
        if value.attributes is not None:
            Model(PowerAttributes).write(value.attributes, etree.SubElement(node, tag(_ATTRIBUTES)))


@dataclass(frozen=True, kw_only=True)
class Item:
    """A unit.

    Attributes:
        name: element, one of `UNITS`.
        description, units: as the schema fixes them for that element.
        scale: SI prefix: what a value is multiplied by.
        pulse_factor: what one pulse stands for; of a pulseCount alone, which has no scale.
        attributes: of a power alone, which must have them.
    """

    KIND: ClassVar[Kind] = ItemKind()
    TAGS: ClassVar[tuple[str, ...]] = tuple(UNITS)

    name: str
    description: str
    units: str
    scale: str | None = "none"
    pulse_factor: float | None = None
    attributes: PowerAttributes | None = None

    def __post_init__(self) -> None:
        """Hold the element to the schema."""
        if self.name not in UNITS:
            raise ValueError(f"`{self.name}` is not a unit of OpenADR")
        for text, allowed in zip((self.description, self.units), UNITS[self.name], strict=True):
            if not re.fullmatch(allowed, text):
                raise ValueError(f"`{text}` is not what {self.name} has there: {allowed}")
        counts = self.name == "oadr:pulseCount"
        if counts != (self.pulse_factor is not None) or counts != (self.scale not in SCALES):
            raise ValueError(
                f"{self.name} needs {'a pulseFactor' if counts else 'a siScaleCode'} and nothing else"
            )
        if self.name.startswith("power:power") != (self.attributes is not None):
            raise ValueError(f"{self.name}: powerAttributes belong to a power, and to nothing else")

    @property
    def element_name(self) -> str:
        """Element that the unit is."""
        return self.name


def unit(name: str, scale: str = "none", attributes: PowerAttributes | None = None) -> Item:
    """Return the unit that an element stands for by itself.

    Raises:
        ValueError: there is none of that name, or not with that scale or without attributes.
    """
    if name not in UNITS:
        raise ValueError(f"`{name}` is not a unit; use {', '.join(UNITS)}")
    description, units = (allowed.split("|")[0] for allowed in UNITS[name])
    return Item(name=name, description=description, units=units, scale=scale, attributes=attributes)


def _own(name: str, child: str) -> str:
    return tag(f"{name.partition(':')[0]}:{child}")


def _text(node: Element | None) -> str:
    return "" if node is None else str(node.text or "")


def _optional(kind: Kind, node: Element | None) -> Any:
    return None if node is None else read_element(kind, node)
