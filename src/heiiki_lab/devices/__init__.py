"""Simulated devices of network vendors: stateful command lines over SSH, and NETCONF, for what is not here.

They stand in for Cisco IOS-XE, Yamaha RTX, NEC UNIVERGE IX and Juniper Junos, and forward no packet. Words
and rules are from the vendors' references; `docs/decisions/fleet.md` says what could not be found there. A
device holds a running and a saved configuration, takes lines by the first word only, refuses, reverts by its
own timer, and is cut off where a test says so.
"""
