"""The rate of each client, by a clock that a test moves; and what a configuration may not say."""

import json
from typing import Any

import pytest
from rest_loopback import rest

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.limits import Rate
from heiiki_agent.openadr.rest.settings import RestSettings

ESP = {"name": "kansai", "certificate_name": "esp-kansai.example", "sites": ["umeda"]}


def test_a_burst_is_taken_and_then_so_many_a_second_of_each_client() -> None:
    now = 0.0
    rate = Rate(2, 3, lambda: now)
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 1]
    assert rate.wait_s("b") == 0
    now = 0.5
    assert [rate.wait_s("a") for _ in range(2)] == [0, 1]
    now = 60.0
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"esps": []}, "esps: is wrong: give at least 1"),
        ({"esps": [ESP, ESP]}, "is wrong: kansai is there twice"),
        ({"esps": [ESP, ESP | {"name": "denki"}]}, "is wrong: esp-kansai.example is there twice"),
        ({"esps": [ESP | {"sites": ["nowhere"]}]}, "is wrong: kansai: nowhere: no such site"),
        ({"esps": [ESP | {"name": "Kansai"}]}, "esps[0].name: is wrong: 'Kansai' does not match "),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(AgentError) as caught:
        config.parse(RestSettings, json.dumps(rest(**changes)), "vtn.json")
    assert str(caught.value).startswith(f"vtn.json: {problem}")
