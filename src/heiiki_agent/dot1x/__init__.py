"""A site's wired LAN with IEEE 802.1X-2020: what stands beside hostapd and wpa_supplicant.

``port`` is the controlled port of one end: its packet filter lets through frames of the other end's link
address alone, for as long as EAP-TLS says so. ``begin`` becomes the daemon of a unit once the device is
enrolled. ``renew`` has the authenticator use a new certificate, or examine its supplicant by new lists.
``guard`` lets the supplicant go on with an authenticator whose certificate is good. ``shut`` shuts the port.
``authenticator``, ``supplicant``, ``guarded`` and ``ported`` are health checks.
"""
