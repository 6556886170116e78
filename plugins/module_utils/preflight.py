# Copyright: Heiiki contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Linux node lacks of programs and kernel features. Standard library only."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

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
    "shaping": (
        (
            "tc qdisc add dev lo root handle 1: tbf rate 1mbit burst 9000 limit 9000 overhead 61 && "
            "tc qdisc add dev lo parent 1:1 handle 2: prio bands 2 "
            "priomap 1 1 1 1 1 1 1 0 1 1 1 1 1 1 1 1 && "
            "tc qdisc add dev lo parent 2:2 handle 4: fq_codel"
        ),
        "load modules sch_tbf, sch_prio and sch_fq_codel (CONFIG_NET_SCH_TBF, …)",
    ),
    "pppoe": (
        "test -c /dev/ppp && python3 -c 'import socket; socket.socket(24, socket.SOCK_STREAM, 0)'",
        "load module pppoe, now and at boot (CONFIG_PPP, CONFIG_PPPOE)",
    ),
    "nftables": ("nft add table inet t", "load module nf_tables with family inet (CONFIG_NF_TABLES_INET)"),
}
TIMEOUT_S = 20


MODULE = "python3:"
"""Begins the name of what is a module of the node's Python."""


def missing_programs(programs: Mapping[str, str], path: str = SEARCH_PATH) -> Iterator[str]:
    """Yield a sentence for every program that is not there."""
    for program, brought_by in programs.items():
        module = program.removeprefix(MODULE)
        if module != program:
            yield from _missing_module(module, brought_by)
        elif shutil.which(program, path=path) is None:
            yield f"program {program}: install package {brought_by}"


def _missing_module(wanted: str, brought_by: str) -> Iterator[str]:
    """Yield a sentence when the node's Python lacks a distribution: ``name`` or ``name>=version``."""
    name, _, needed = wanted.partition(">=")
    found = _version(name)
    if not found or _release(found) < _release(needed):
        has = f", the node has {found}" if found else ""
        least = f" {needed} or later" if needed else ""
        yield f"Python module {name}{least}{has}: install package {brought_by}"


def _release(version: str) -> "tuple[int, ...]":
    """Return the numbers with which a version begins: (1, 10) of ``1.10.0rc1`` without zeros at the end."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(number) for number in re.sub(r"(\.0+)+$", "", found[0]).split(".")) if found else ()


def _version(name: str) -> str:
    """Return the version of a distribution that the node's Python has, or an empty text.

    This process asks itself where it is that Python, as it is unless a play names another interpreter.
    """
    program = shutil.which("python3", path=SEARCH_PATH)
    if program and Path(program).samefile(sys.executable):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return ""
    script = f"import importlib.metadata as m; print(m.version({name!r}))"
    return _ran(["python3", "-c", script]).stdout.strip()


def _ran(argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        list(argv),
        env={"PATH": SEARCH_PATH},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def missing_features(features: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for every kernel feature that is not there, tried in a throw-away namespace."""
    if not features:
        return
    script = "; ".join(f"({FEATURES[name][0]}) >/dev/null 2>&1 || echo {name}" for name in features)
    tried = _ran(["unshare", "--net", "sh", "-c", script])
    if tried.returncode:
        yield f"kernel features cannot be tried ({tried.stderr.strip()}): run as root"
    for name in tried.stdout.split():
        yield f"kernel feature {name}: {FEATURES[name][1]}"
