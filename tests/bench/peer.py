"""The peer of the bench: pyavd validates, designs and renders an EVPN fabric. Its own interpreter runs this.

The fabric is written after pyavd's public input schema: leaf pairs under spines, one tenant, VRFs and SVIs.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

SPINES, VRFS, SVIS = 4, 2, 4


def fabric(pairs: int) -> dict[str, dict[str, Any]]:
    """Return the inputs of each device of a fabric of `pairs` leaf pairs, by host name."""
    spines = [f"spine{number}" for number in range(1, SPINES + 1)]
    groups = [_pair(number) for number in range(1, pairs + 1)]
    common = {
        "fabric_name": "BENCH",
        "underlay_routing_protocol": "ebgp",
        "overlay_routing_protocol": "ebgp",
        "spine": _spines(spines),
        "l3leaf": {"defaults": _leaf_defaults(spines), "node_groups": groups},
        "tenants": [
            {"name": "TENANT", "mac_vrf_vni_base": 10000, "vrfs": [_vrf(n) for n in range(1, VRFS + 1)]}
        ],
    }
    leaves = [node["name"] for group in groups for node in group["nodes"]]
    return {
        **{name: {**common, "type": "spine"} for name in spines},
        **{name: {**common, "type": "l3leaf"} for name in leaves},
    }


def _spines(names: list[str]) -> dict[str, Any]:
    return {
        "defaults": {"platform": "vEOS-lab", "bgp_as": "65100", "loopback_ipv4_pool": "10.255.0.0/24"},
        "nodes": [
            {"name": name, "id": number, "mgmt_ip": f"172.17.0.{number}/16"}
            for number, name in enumerate(names, start=1)
        ],
    }


def _leaf_defaults(spines: list[str]) -> dict[str, Any]:
    return {
        "platform": "vEOS-lab",
        "loopback_ipv4_pool": "10.240.0.0/16",
        "loopback_ipv4_offset": 10,
        "vtep_loopback_ipv4_pool": "10.241.0.0/16",
        "uplink_switches": spines,
        "uplink_interfaces": [f"Ethernet{number}" for number in range(1, len(spines) + 1)],
        "uplink_ipv4_pool": "10.0.0.0/15",
        "mlag_peer_ipv4_pool": "10.252.0.0/16",
        "mlag_peer_l3_ipv4_pool": "10.251.0.0/16",
        "mlag_interfaces": ["Ethernet47", "Ethernet48"],
        "virtual_router_mac_address": "00:1c:73:00:00:99",
        "spanning_tree_mode": "mstp",
        "spanning_tree_priority": 4096,
    }


def _pair(number: int) -> dict[str, Any]:
    return {
        "group": f"pod{number}",
        "bgp_as": str(4_200_000_000 + number),
        "nodes": [_leaf(2 * number - 1), _leaf(2 * number)],
    }


def _leaf(number: int) -> dict[str, Any]:
    return {
        "name": f"leaf{number}",
        "id": number,
        "mgmt_ip": f"172.16.{number // 250}.{number % 250 + 1}/16",
        "uplink_switch_interfaces": [f"Ethernet{number}"] * SPINES,
    }


def _vrf(number: int) -> dict[str, Any]:
    return {
        "name": f"VRF{number}",
        "vrf_vni": number,
        "vtep_diagnostic": {"loopback": 10 + number, "loopback_ip_range": f"10.{242 + number}.0.0/16"},
        "svis": [
            {
                "id": 10 * number + index,
                "name": f"VLAN{10 * number + index}",
                "enabled": True,
                "ip_address_virtual": f"10.{100 + number}.{index}.1/24",
            }
            for index in range(SVIS)
        ],
    }


def run(pairs: int) -> dict[str, Any]:
    """Take a fabric from inputs to configurations; return seconds of processor of each step, and the size."""
    import pyavd  # noqa: PLC0415 - only the peer's own interpreter has it

    steps: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = step()
        steps[name] = time.process_time() - start
        return result

    given = fabric(pairs)
    checked = timed("validate", lambda: {name: _valid(pyavd, inputs) for name, inputs in given.items()})
    facts = timed("facts", lambda: pyavd.get_avd_facts(checked))
    designed = timed(
        "design",
        lambda: {
            name: pyavd.get_device_structured_config(name, inputs, facts) for name, inputs in checked.items()
        },
    )
    texts = timed("render", lambda: [pyavd.get_device_config(item) for item in designed.values()])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(len(text) for text in texts)
    return {"steps": steps, "devices": len(texts), "bytes": size, "peak_mib": peak}


def _valid(pyavd: Any, inputs: dict[str, Any]) -> Any:
    found = pyavd.validate_inputs(inputs)
    if found.validated_data is None:
        wrong = "; ".join(f"{item.path}: {item.message}" for item in found.validation_result.violations)
        raise SystemExit(f"pyavd does not accept the fabric: {wrong}")
    return found.validated_data


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(int(sys.argv[1]))))
