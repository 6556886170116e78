"""The Vault servers: one, or three that are one cluster, whose data a majority has (Raft)."""

from collections.abc import Iterator

from heiiki.errors import Problem
from heiiki.intent.model import Service
from heiiki.intent.yaml_source import YamlSource

MOST = 3
"""How many the plan has addresses for."""
_NUMBERS = (1, MOST)
_FIX = "name one host (none may fail) or three (one may fail)"


def problems(source: YamlSource, service: Service) -> Iterator[Problem]:
    """Yield what is wrong with the number of servers, and each that is named twice."""
    hosts = service.vault_hosts
    for index, host in enumerate(hosts):
        if host in hosts[:index]:
            what = f"`{host}` is named twice: with that host both would be lost"
            yield source.problem(("vault_hosts", index), what, "give each server a host of its own")
    if len(hosts) not in _NUMBERS:
        yield source.problem(("vault_hosts",), _why_not(len(hosts)), _FIX)


def _why_not(number: int) -> str:
    """Return why a cluster has not so many servers: a majority of them must be left."""
    if not number:
        return "no Vault server is named, and without one no certificate is issued"
    majority, spare = number // 2 + 1, (number - 1) // 2
    told = f"{number} Vault servers need {majority} for a majority, so {_may_fail(spare)}"
    if number % 2 == 0:
        return f"{told}, no more than of {number - 1}"
    return f"{told}; the plan has no addresses on the hub's LAN for more than three"


def _may_fail(spare: int) -> str:
    return f"{spare} may fail" if spare else "none may fail"
