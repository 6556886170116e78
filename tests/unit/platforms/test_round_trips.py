"""Running and remediation make intended, rollback brings running back, and a second change is empty."""

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platform_worlds import WORLDS, World

from heiiki import platforms

SECRET = re.compile(r"S3cret\w*")


def configurations(pieces: tuple[tuple[str, ...], ...]) -> st.SearchStrategy[str]:
    """Any choice of pieces, in any order."""
    chosen = st.tuples(*(st.sampled_from(("", *forms)) for forms in pieces))
    return chosen.flatmap(lambda forms: st.permutations([form for form in forms if form])).map("".join)


def try_round_trip(world: World, running: str, intended: str) -> None:
    device = world.device(world.untouched + running)
    before, shown = world.state(device), device.show()
    wanted = world.state(world.device(world.untouched + intended))
    change = platforms.of(world.name).compare(shown, intended)
    assert bool(change) == (before != wanted)
    assert bool(change.diff) == bool(change)
    assert not SECRET.search(change.diff)
    assert not SECRET.search(repr(change))

    device.send(change.remediation)
    assert world.state(device) == wanted
    again = platforms.of(world.name).compare(device.show(), intended)
    assert not again
    assert again.remediation == again.rollback == ()

    device.send(change.rollback)
    assert world.state(device) == before
    assert not platforms.of(world.name).compare(device.show(), shown)


@pytest.mark.parametrize("name", platforms.names())
def test_each_form_to_each_other_one(name: str) -> None:
    world = WORLDS[name]
    for forms in world.pieces:
        for running, intended in product(("", *forms), repeat=2):
            try_round_trip(world, running, intended)


@pytest.mark.parametrize("name", platforms.names())
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_configuration_to_any_other(name: str, data: st.DataObject) -> None:
    world = WORLDS[name]
    running, intended = data.draw(configurations(world.pieces)), data.draw(configurations(world.pieces))
    try_round_trip(world, running, intended)
