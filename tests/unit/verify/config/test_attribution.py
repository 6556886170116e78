import pytest

from heiiki.verify.config.attribution import concerns

HELD = frozenset({"R-GAP", "R-DUAL", "R-ISO-SITE", "R-ISO-CARRIER", "R-ISO-MALICE", "R-SEC-ACCESS"})
FRR = "/etc/frr/frr.conf, running: "
NFT = "/etc/nftables.conf the kernel's packet filter differs: "


@pytest.mark.parametrize(
    ("text", "concerned"),
    [
        (f"{FRR}too much: bfd / profile active / detect-multiplier 10", {"R-GAP"}),
        (f"{FRR}missing: router bgp 64530 / neighbor 10.80.0.1 timers connect 1", {"R-GAP"}),
        (f"{FRR}too much: route-map ANNOUNCE-HUB-OWN permit 20", {"R-ISO-SITE"}),
        (
            f"{FRR}too much: router bgp 64601 vrf s0017, ipv4 / rt vpn import 64601:2",
            {"R-ISO-SITE"},
        ),
        (f"{FRR}missing: router bgp 64530 / neighbor 10.80.0.1 remote-as 64601", {"R-DUAL"}),
        (f'{NFT}missing {{"rule": {{"chain": "forward"', {"R-ISO-SITE"}),
        (f'{NFT}too much {{"rule": {{"chain": "input"', {"R-ISO-CARRIER"}),
        (f'{NFT}missing {{"rule": {{"chain": "from_lan0"', {"R-ISO-MALICE"}),
        (
            f'{NFT}missing {{"rule": {{"chain": "encrypted", "expr": [{{"meta": {{"key": "secpath"',
            {"R-SEC-ACCESS"},
        ),
        (f'{NFT}missing {{"rule": {{"chain": "output"', {"R-SEC-ACCESS"}),
        (
            f'{NFT}missing {{"rule": {{"chain": "input", "expr": [{{"jump": {{"target": "encrypted"',
            {"R-SEC-ACCESS"},
        ),
        (f"{NFT}another order", HELD),
        ("/etc/frr/frr.conf differs from what was compiled: SHA-256 0123456789ab", HELD),
        (f"{FRR}too much: something unknown", HELD),
    ],
)
def test_a_difference_is_laid_at_the_door_of_the_requirement_it_serves(
    text: str, concerned: frozenset[str] | set[str]
) -> None:
    assert {identifier for identifier in HELD if concerns(identifier, text, HELD)} == set(concerned)


def test_a_difference_that_concerns_no_requirement_of_the_device_concerns_all_it_has() -> None:
    held = frozenset({"R-DUAL"})
    assert concerns("R-DUAL", f"{FRR}too much: route-map X permit 10", held)
