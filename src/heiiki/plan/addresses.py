"""Addresses from pools by number: pure arithmetic, so that a number's address never moves."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

HOST = 32
ACCESS = 30
LAN = 28

LAN_GATEWAY, LAN_FIRST, LAN_SECOND, LAN_CONTROLLER = 1, 2, 3, 4
HUB_HOSTS = HUB_DRAS, HUB_XMPP = 4, 5
HUB_VAULT = 6


def block(pool: IPv4Network, number: int, length: int) -> IPv4Network:
    """Return block `number` of `length` bits inside `pool`."""
    size = 1 << (32 - length)
    return IPv4Network((int(pool.network_address) + number * size, length))


def host(network: IPv4Network, index: int) -> IPv4Address:
    """Return address `index` of `network`."""
    return IPv4Address(int(network.network_address) + index)


def on(network: IPv4Network, index: int) -> IPv4Interface:
    """Return address `index` of `network` with the network's length."""
    return IPv4Interface((int(network.network_address) + index, network.prefixlen))


def single(address: IPv4Address) -> IPv4Interface:
    """Return `address` as a /32."""
    return IPv4Interface((int(address), HOST))


def only(address: IPv4Address) -> IPv4Network:
    """Return the prefix that holds nothing but `address`."""
    return IPv4Network((int(address), HOST))


def hub_index(pool: IPv4Network) -> int:
    """Return the index of the hub's own address in a pool of single addresses: the last usable one."""
    return pool.num_addresses - 2


def service_index(pool: IPv4Network, server: int = 0) -> int:
    """Return the index of a Vault server's service address in a pool of single addresses.

    Those of further servers are before the time servers', which are where one server leaves them.
    """
    first = pool.num_addresses - 3
    return first - len(HUB_HOSTS) - server if server else first


def time_index(pool: IPv4Network, server: int) -> int:
    """Return the index of a time server's service address there: before the first Vault server's."""
    return service_index(pool) - 1 - server
