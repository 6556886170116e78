"""A site's LAN on the air: what stands beside hostapd and wpa_supplicant.

``begin`` becomes the daemon of a unit once the device is enrolled. ``renew`` has the access point use a new
certificate, or examine its station by new lists. ``guard`` lets the station join an access point whose
certificate is good, and takes it away when that is good no more. ``access-point``, ``station`` and
``guarded`` are health checks; the first two print with what the daemons run.
"""
