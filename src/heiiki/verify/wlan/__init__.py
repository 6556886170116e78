"""R-SEC-LAN/wifi: what is measured of the sites' LANs on the air."""
