"""What both networks share beside the elements of their paths: duct, power, building (R-DUAL)."""

from collections.abc import Iterator

from heiiki.errors import Problem
from heiiki.intent.model import DeclaredRisk, Service, SharedRisk
from heiiki.intent.yaml_source import YamlSource

_HERE = ("risks", "shared")


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield every risk that is named twice, and every element that one risk names twice."""
    names = [risk.name.casefold() for risk in service.risks.shared]
    for index, risk in enumerate(service.risks.shared):
        if names[index] in names[:index]:
            fix = "put all elements under one, or give each risk its own name"
            yield source.problem((*_HERE, index, "name"), f"`{risk.name}` is used twice", fix)
        for place, element in enumerate(risk.elements):
            if element in risk.elements[:place]:
                loc = (*_HERE, index, "elements", place)
                yield source.problem(loc, f"`{element}` is named twice", "leave one of them out")


def declared(source: YamlSource, service: Service) -> tuple[DeclaredRisk, ...]:
    """Return the shared risks, each with the places of its elements: only the plan knows what there is."""
    return tuple(
        DeclaredRisk(risk, tuple(_places(source, index, risk)))
        for index, risk in enumerate(service.risks.shared)
    )


def _places(source: YamlSource, index: int, risk: SharedRisk) -> Iterator[Problem]:
    fix = "name a device that `ansible-inventory --graph` shows, or a link, such as a-pe2--umeda-ce-a"
    for place, element in enumerate(risk.elements):
        loc = (*_HERE, index, "elements", place)
        yield source.problem(loc, f"there is no device or link `{element}`", fix)
