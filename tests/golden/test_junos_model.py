"""The lines for Junos are of Junos: its own model knows every word of them, and none that is misspelt."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent)]

from junos_model import Model, lines, trimmed  # noqa: E402


@pytest.fixture(scope="module")
def model() -> Model:
    return trimmed()


def test_the_model_knows_every_line(model: Model) -> None:
    assert [f"{line}: {said}" for line in lines() if (said := model.problem(line))] == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" bfd-liveness-detection ", " bfd-liveness-detections ", "no `bfd-liveness-detections` here"),
        (" priority 200", " priority 256", "`priority` does not take `256`"),
        (" priority-cost 199", " priority-cost 255", "`priority-cost` does not take `255`"),
        (" aes-256-gcm", " aes-256-gmc", "`encryption-algorithm` does not take `aes-256-gmc`"),
        (" dh-group group19", " dh-group group18", "`dh-group` does not take `group18`"),
        (" system-services ike", " system-services ikes", "`system-services` does not take `ikes`"),
        (" deny-all", " deny-al", "no `deny-al` here"),
        (" to-zone HUB", " to-zon HUB", "no `from-zone` here"),
        (" tcp-established", " tcp-establish", "no `tcp-establish` here"),
        (" then next-hop self", " then nexthop self", "no `nexthop` here"),
        ("set ", "delete ", "is no set line"),
    ],
)
def test_a_line_that_is_misspelt_is_found(model: Model, old: str, new: str, said: str) -> None:
    spoilt = [line.replace(old, new) for line in lines() if old in line]
    assert spoilt
    assert {model.problem(line) for line in spoilt} == {said}


def test_no_keyword_can_be_misspelt_unseen(model: Model) -> None:
    """Names and values of ours are free; what is Junos' own word is not."""
    unseen = set()
    for line in lines():
        words = line.split()
        for at, word in enumerate(words[1:], start=1):
            spoilt = [*words[:at], f"{word}-x", *words[at + 1 :]]
            if not model.problem(" ".join(spoilt)):
                unseen.add(word)
    assert not unseen & {
        *("security", "ike", "gateway", "ipsec", "vpn", "pki", "zones", "security-zone", "policies", "then"),
        *("protocols", "neighbor", "import", "export", "peer-as", "ttl", "authentication-key", "family"),
        *("firewall", "filter", "term", "from", "accept", "discard", "count", "vrrp-group", "priority"),
        *("set", "routing-options", "policy-options", "policy-statement", "prefix-list", "interfaces"),
    }
