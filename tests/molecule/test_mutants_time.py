"""A verification that cannot fail proves nothing: mutants of where a device has its time from."""

import pytest

from .mutants import Bench, Mutant, chosen, sh, try_mutant

TIME = "R-SEC-ACCESS/time"
_CONFIG, _KEYS = "/etc/chrony/chrony.conf", "/etc/chrony/chrony.keys"
_RESTART = "systemctl restart chrony"
_SYNCHRONISED = "chronyc waitsync 60 1 0 1"


def _edited(path: str, edit: str, then: str) -> tuple[tuple[str, ...], ...]:
    return (sh(f"cp -p {path} /run/mutant && sed -i '{edit}' {path} && {_RESTART} && {then}"),)


def _restored(path: str) -> tuple[tuple[str, ...], ...]:
    return (sh(f"cat /run/mutant > {path} && rm /run/mutant && {_RESTART} && {_SYNCHRONISED}"),)


MUTANTS = (
    Mutant(
        "a time server that is not in the plan",
        "umeda-gw-b",
        _edited(_CONFIG, "s/10.96.3.251/10.96.3.250/", _SYNCHRONISED),
        _restored(_CONFIG),
        frozenset({(TIME, "config", "umeda-gw-b")}),
    ),
    Mutant(
        "a key of NTP that the servers do not have",
        "umeda-gw-b",
        # It must not come to it in 10 s, where it takes 4 with the right key.
        _edited(_KEYS, "s/HEX:......../HEX:00000000/", "! chronyc waitsync 10 1 0 1"),
        _restored(_KEYS),
        frozenset(),
        ("time",),
        live=frozenset({TIME}),
    ),
    Mutant(
        "a daemon that asks without a key",
        "umeda-bems",
        _edited(_CONFIG, "s/ key [0-9]* / /", _SYNCHRONISED),
        _restored(_CONFIG),
        frozenset({(TIME, "config", "umeda-bems")}),
    ),
    Mutant(
        "a clock that is five seconds off",
        "umeda-bems",
        (sh("chronyc offset 10.15.0.4 5 && chronyc offset 10.15.0.5 5 && chronyc burst 4/4 && sleep 10"),),
        (sh(f"{_RESTART} && {_SYNCHRONISED}"),),
        frozenset(),
        ("time",),
        live=frozenset({TIME}),
    ),
)


@pytest.mark.parametrize("mutant", chosen(MUTANTS, "time"))
def test_a_mutant_of_time_is_seen(bench: Bench, mutant: Mutant) -> None:
    try_mutant(bench, mutant)
