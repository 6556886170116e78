"""R-SEC-LAN/data: what crosses the sites' wired LANs, whose frames nothing encrypts."""
