"""The configuration and the orders: all mistakes at once, and never the token."""

import json
from pathlib import Path

import pytest
from agent_device import GOOD, NAMES, WRAPPED, Device

from heiiki_agent import config
from heiiki_agent.errors import AgentError
from heiiki_agent.pki.settings import Anchors, Order, Settings

NOT_TLS = "must be https://HOST:PORT without a path: Vault is spoken to in TLS only"


def test_configuration_is_read() -> None:
    settings = config.parse(Settings, json.dumps(GOOD), "F")
    assert settings.names.document() == NAMES
    assert settings.folder == Path("/etc/heiiki/pki")
    assert settings.revocation is None


def test_every_mistake_of_the_configuration_is_named_at_once() -> None:
    wrong = {
        "dns": [],
        "addresses": ["10.0.0.300"],
        "uris": ["urn:heiiki:lab:gw,DNS:other"],
        "jids": ["two@at@signs"],
        "folder": "relative",
        "users": ["swanctl"],
        "links": {"/etc/x": "passwd"},
        "revocation": {"url": "http://10.96.3.253:8200", "host": "v", "mounts": ["../x y"], "every_s": 0},
        "more": 1,
    }
    with pytest.raises(AgentError) as caught:
        config.parse(Settings, json.dumps(wrong), "F")
    assert str(caught.value).splitlines() == [
        "F: more: is not known here; remove it",
        "F: device: is missing; add it",
        "F: dns: is wrong: give at least 1",
        "F: addresses[0]: is wrong: Octet 300 (> 255) not permitted in '10.0.0.300'",
        (
            "F: uris[0]: is wrong: 'urn:heiiki:lab:gw,DNS:other' does not match [A-Za-z][A-Za-z0-9+.-]*:"
            "[A-Za-z0-9._~:/?@!*+%-]+"
        ),
        "F: jids[0]: is wrong: 'two@at@signs' does not match [A-Za-z0-9._-]+@[A-Za-z0-9.-]+",
        f"F: revocation.url: is wrong: {NOT_TLS}",
        "F: revocation.mounts[0]: is wrong: '../x y' does not match [A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*",
        "F: revocation.every_s: is wrong: 0 is not a whole number from 1 to 86400",
        "F: folder: is wrong: must be an absolute path",
        "F: links./etc/x: is wrong: 'passwd' is not known; use key.pem, certificate.pem, chain.pem",
        "F: users[0]: is wrong: must be a list",
    ]


def test_what_is_no_json_is_said_with_its_place() -> None:
    with pytest.raises(AgentError, match=r"^F:2:1: is not JSON: Expecting value$"):
        config.parse(Settings, "[\n", "F")


def test_a_wrong_order_says_all_that_is_wrong_and_never_the_token(device: Device) -> None:
    leaf = device.fake.issuing.pem
    text = device.order(
        1, url="http://x", anchors=[], names={"dns": "gw"}, server_anchors=["no PEM"], extra=1
    )
    with pytest.raises(AgentError) as caught:
        config.parse(Order, text, "standard input")
    assert str(caught.value).splitlines() == [
        "standard input: extra: is not known here; remove it",
        f"standard input: url: is wrong: {NOT_TLS}",
        "standard input: names.dns: is wrong: must be a list",
        "standard input: anchors: is wrong: give at least 1",
    ]
    assert WRAPPED not in repr(config.parse(Order, device.order(1), "standard input"))
    assert config.parse(
        Anchors, json.dumps({"anchors": [leaf], "server_anchors": []}), "standard input"
    ).anchors == (leaf,)
