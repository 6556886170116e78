"""Keeps the route to the LAN while a host on the LAN answers, and the virtual address where it is of use.

    heiiki-agent lan-watch FILE      probe until stopped (SIGHUP reads FILE again, SIGTERM leaves the route)
    heiiki-agent lan-watch status    exit status 0 if a watch runs and has reported within 3 s

A gateway whose leg to the LAN fails silently would go on announcing the LAN and draw its traffic into a black
hole. So its LAN address is a /32 and the LAN's route is this program's: ``PREFIX dev INTERFACE scope link src
SOURCE proto 210``. Every `probe_ms` it asks the targets (peer gateway and controller) by ARP (RFC 826).
When none has answered `lost` probes in a row, or the port has no carrier, the route is deleted, and routing
withdraws the LAN; two answered probes in a row bring it back.

A gateway without a way to the other side is of no use to the LAN either: one that has just started, or
whose BGP has died, would take the virtual address and lose what it is sent. So keepalived tracks the file
/run/heiiki/vrrp_fault. This program writes 0 into it while the LAN answers, the kernel has a route of BGP
into BEYOND, and zebra runs to keep it; else 1: then keepalived resigns at once (RFC 9568, 6.4.3), and the
other gateway takes over.

FILE is JSON: {"interface": "lan0", "prefix": "10.17.0.0/28", "source": "10.17.0.2", "targets": ["10.17.0.3"],
"beyond": "10.15.0.0/28", "probe_ms": 100, "lost": 6}.

What counts as an answer is a reply to a question of ours, not any ARP heard: on a leg that is dead in one
direction only, the others can still be heard. A probe goes to the neighbour's own MAC address once that is
known (RFC 1122, 2.3.2.1) and to all while it is silent: a healthy LAN sees no broadcasts of ours.

ARP settings: arp_ignore=1 on the port (an address is answered for only where it is; keepalived sets it for
its virtual MAC). Not 2: the asker must then be in the subnet of the address, a /32 has none. arp_filter=1,
which keepalived sets too, keeps the kernel silent while the route back is deleted: then two gateways without
a controller would never hear each other again. So this program itself answers for its address in that time.
rp_filter must be 0: it drops questions from a LAN that has no route.
"""
