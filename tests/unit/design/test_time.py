"""Two sources on each network, judged by the texts that devices are sent: each hindrance is seen."""

from collections.abc import Callable
from pathlib import Path

import pytest

from heiiki.design import time
from heiiki.design.texts import read
from heiiki.intent import load
from heiiki.plan import build
from heiiki.render import compile_plan
from heiiki.render.time import CONFIG, KEYS, REQUIREMENT
from heiiki.requirements import Result

EXAMPLE = Path(__file__).parents[3] / "inventories" / "lab"

Spoil = Callable[[str], str]


def failing(device: str, path: str, spoil: Spoil) -> dict[str, str]:
    """Return subject and reason of what fails once a file of a device is spoilt."""
    plan = build(load(EXAMPLE))
    sent = read(plan, tuple(compile_plan(plan)))
    text = sent[device].files[path]
    assert spoil(text) != text
    sent[device].files[path] = spoil(text)  # type: ignore[index]  # a dict, in fact
    found = time.verdicts(plan, sent)
    return {one.subject: one.reason for one in found if one.result is Result.FAIL}


def test_both_modules_speak_of_one_requirement() -> None:
    assert time.REQUIREMENT == REQUIREMENT


def test_a_device_with_one_source_fails_on_each_of_its_networks() -> None:
    def spoil(text: str) -> str:
        return "\n".join(line for line in text.splitlines() if "10.96.3.251" not in line)

    assert failing("namba-gw", CONFIG, spoil) == dict.fromkeys(
        ("clock of namba-gw over A", "clock of namba-gw over B"), "it is sent too few sources"
    )


@pytest.mark.parametrize(
    ("device", "path", "old", "new", "subject", "reason"),
    [
        (
            "xmpp",
            KEYS,
            "272 AES256 HEX:",
            "272 AES256 HEX:00",
            "clock of umeda-ce-a over A",
            "10.96.3.251 does not share key 272",
        ),
        (
            "dras",
            CONFIG,
            "allow 10.112.0.23/32",
            "",
            "clock of namba-gw over B",
            "10.96.3.252 does not answer 10.112.0.23",
        ),
        (
            "umeda-gw-b",
            CONFIG,
            "server 10.96.3.251 ",
            "server 192.0.2.1 ",
            "clock of umeda-gw-b over B",
            "192.0.2.1 is no time server of the plan",
        ),
    ],
)
def test_a_source_that_does_not_answer_is_none(
    device: str, path: str, old: str, new: str, subject: str, reason: str
) -> None:
    assert failing(device, path, lambda text: text.replace(old, new)) == {subject: reason}
