"""How a line's rate is divided between a site's tunnel on it and what does not use the tunnel."""

TUNNEL_SHARE = 0.9
"""What is left is for what goes outside: IKE, lists and time of the gateways, BGP and BFD with the PE."""


def tunnel_kbps(line: int) -> int:
    """Return how much of a line's rate its tunnel may fill, kbit/s of the encrypted packets."""
    return int(line * TUNNEL_SHARE)
