"""R-SEC-LAN/wired: what is measured of the sites' wired LANs with IEEE 802.1X."""
