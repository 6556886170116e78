#!/usr/bin/python
# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

DOCUMENTATION = r"""
module: linux_preflight
short_description: Tell what a Linux node lacks before anything is changed on it
version_added: 0.1.0
author: Heiiki contributors (@heiiki)
description:
  - Looks for the programs and kernel features that a role needs, and fails with one message that names all
    that is missing and what to install.
  - Kernel features are tried in a network namespace that is gone afterwards; nothing on the node changes.
options:
  programs:
    description: Programs that must be there, and the Debian package that brings each.
    type: dict
    default: {}
  features:
    description: Kernel features that must be there.
    type: list
    elements: str
    choices: [vrf, mpls, gre, esp, nftables]
    default: []
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Works on.
    support: full
    platforms: linux
"""

EXAMPLES = r"""
- name: Ensure that the node can be a provider edge router
  heiiki.network.linux_preflight:
    programs: {vtysh: frr, nft: nftables}
    features: [vrf, mpls]
"""

RETURN = r"""
missing:
  description: What is missing, one sentence each.
  returned: always
  type: list
  elements: str
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from ansible.module_utils.basic import AnsibleModule

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr"
# A shell command that succeeds where the kernel has the feature, and the remedy where it has not.
FEATURES: Mapping[str, tuple[str, str]] = {
    "vrf": ("ip link add name vrf0 type vrf table 10", "load module vrf (CONFIG_NET_VRF)"),
    "mpls": (
        "ip link set lo up && sysctl -qw net.mpls.platform_labels=1000 && ip -f mpls route add 16 dev lo",
        "load modules mpls_router and mpls_iptunnel at boot (/etc/modules-load.d)",
    ),
    "gre": (
        "ip link add name tunnel0 type gre local 192.0.2.1 remote 192.0.2.2",
        "load module ip_gre (CONFIG_NET_IPGRE)",
    ),
    "esp": (
        (
            "ip link add name tunnel1 type xfrm dev lo if_id 1 && "
            "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 256 mode transport "
            "aead 'rfc4106(gcm(aes))' 0x$(printf %072d 1) 128 && "
            "nft 'add table inet t; add chain inet t c; add rule inet t c meta ipsec exists'"
        ),
        "load modules esp4, xfrm_interface, gcm and nft_xfrm (CONFIG_INET_ESP, CONFIG_XFRM_INTERFACE, …)",
    ),
    "nftables": ("nft add table inet t", "load module nf_tables with family inet (CONFIG_NF_TABLES_INET)"),
}
TIMEOUT_S = 20


def missing_programs(programs: Mapping[str, str], path: str = SEARCH_PATH) -> Iterator[str]:
    """Yield a sentence for every program that is not there."""
    for program, brought_by in programs.items():
        if shutil.which(program, path=path) is None:
            yield f"program {program}: install package {brought_by}"


def missing_features(features: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for every kernel feature that is not there, tried in a throw-away namespace."""
    if not features:
        return
    script = "; ".join(f"({FEATURES[name][0]}) >/dev/null 2>&1 || echo {name}" for name in features)
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        env={"PATH": SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if tried.returncode:
        yield f"kernel features cannot be tried ({tried.stderr.strip()}): run as root"
    for name in tried.stdout.split():
        yield f"kernel feature {name}: {FEATURES[name][1]}"


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "programs": {"type": "dict", "default": {}},
            "features": {"type": "list", "elements": "str", "choices": sorted(FEATURES), "default": []},
        },
        supports_check_mode=True,
    )
    missing = [*missing_programs(module.params["programs"]), *missing_features(module.params["features"])]
    if missing:
        module.fail_json(msg=f"nothing was changed; this node lacks: {'; '.join(missing)}", missing=missing)
    module.exit_json(changed=False, missing=[])


if __name__ == "__main__":
    main()
