"""Make the kernel's interfaces, addresses, static routes and settings match a file.

    links apply FILE    make them match; prints every change
    links check FILE    print the differences only; exit status 1 if there is one
    links keep FILE     make them match, and again whenever a link changes: the kernel drops the static
                           routes of a link that goes down, and nothing else puts them back

The kernel is read once, the difference is worked out, and one ``ip -batch`` and one ``tc -batch`` write it:
a second run changes nothing and costs one read. Every problem that can be known beforehand is reported
together, before anything is written. Exit status: 0 it matches now, 1 it differs (check) or could not be
made to match, 2 wrong usage.

The file is JSON::

    {"interfaces": [{"name": "gre-a", "kind": "gre", "mtu": 1400, "vrf": null, "table": null,
                     "gre": {"local": "10.64.0.11", "remote": "10.16.0.1"}, "rate_kbps": 9000,
                     "addresses": ["172.16.0.1/30"], "mpls": false}],
     "neighbours": [{"address": "10.1.0.4", "link_address": "02:00:0a:01:00:04", "interface": "lan0"}],
     "routes": [{"prefix": "10.2.0.0/16", "via": "10.1.0.2", "interface": null, "vrf": null}],
     "sysctls": {"net.ipv4.ip_forward": "1"}}

Kinds: ``ethernet`` (a port: never made, never removed), ``loopback``, ``vrf`` (with `table`), ``gre`` (RFC
2784, with `gre`), ``xfrm`` (what is routed there leaves in ESP, RFC 4303; with `xfrm`, the ID of its policies
and the port below it: ``{"if_id": 1, "underlay": "wan0"}``), ``dummy``, ``wwan`` (made by the modem, perhaps
later: left alone, what hangs on it waits). Tunnels, VRFs and dummies that this program made and that are no
longer listed are removed. A port with `link_address` is given that one. A tunnel with `rate_kbps` sends no
more than that, encrypted, and network control first (`queues.py`). Neighbours are permanent: no ARP message
changes them. On the listed interfaces there are no other permanent ones.
"""
