"""Packet gateway of an APN with one fixed address for each SIM (3GPP TS 23.401): a stand-in for a carrier's.

Control plane: GTPv2-C (TS 29.274) here. User plane: the kernel's ``gtp`` device (TS 29.281), which also
answers GTP-U Echo; sessions are kept in a file and put back after a restart. A SIM and APN that the
configuration does not know are refused with a cause. A user packet whose tunnel and source address do not
belong together is counted and dropped by the nftables table ``ip heiiki_pgw`` before the kernel, which
would drop it unseen, gets it.

Run as root: ``python3 -m heiiki_lab.mobile.pgw /etc/heiiki/pgw.json``. The file is looked at every second and
read again when it has changed; no signal is needed:

    {"address": "192.0.2.1", "interface": "gtp0", "mtu": 1400,
     "apns": [{"name": "der-a", "pool": "10.64.0.0/24"}],
     "subscribers": [{"imsi": "440100000000001", "apn": "der-a", "address": "10.64.0.11"}]}
"""
