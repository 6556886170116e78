"""Sizes of packets, inside and outside of each encapsulation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heiiki.plan.sizes import in_esp, tunnel_mtu, vpn_mtu


@pytest.mark.parametrize(("path", "inside"), [(1446, 1386), (1358, 1298), (1400, 1342)])
def test_what_a_tunnel_takes(path: int, inside: int) -> None:
    """GRE 4, and in ESP 8 + 8 + 16, padding to 4 with its 2 octets of trailer, and an IP header of 20."""
    assert tunnel_mtu(path) == inside


def test_what_the_vpn_of_an_ethernet_line_takes() -> None:
    assert vpn_mtu(1500) == 1446


@given(st.integers(1280, 9000))
def test_one_octet_more_would_not_fit(path: int) -> None:
    inside = tunnel_mtu(path)
    assert in_esp(inside) <= path < in_esp(inside + 1)
