"""What the kernel has, read and written by ``ip -batch`` and below /proc/sys."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from heiiki_agent import files
from heiiki_agent.errors import AgentError
from heiiki_agent.links import queues
from heiiki_agent.links.model import (
    GLOBAL_SCOPE,
    KEEPALIVED,
    MAIN_TABLE,
    PROTOCOL,
    UNICAST,
    Difference,
    Kind,
    Link,
    Neighbour,
    Route,
    State,
    Tunnel,
    Wanted,
    Xfrm,
)

PROC_SYS = Path("/proc/sys")
_MADE: Mapping[Any, Kind] = {"vrf": "vrf", "gre": "gre", "xfrm": "xfrm", "dummy": "dummy"}


def read_state(wanted: Wanted, owned: Path) -> State:
    """Read what the kernel has of the things that `wanted` speaks of, in one run of ``ip``.

    Raises:
        AgentError: when ``ip`` fails or answers nonsense.
    """
    query = f"address show\nroute show table all proto {PROTOCOL}\nrule show\n"
    query += "neigh show nud permanent\n"
    answers = list(_documents(_ip(["-json", "-details", "-N", "-batch", "-"], query)))
    if len(answers) != len(query.splitlines()):
        raise AgentError(
            "ip -batch: answered fewer lists than asked for; is iproute2 5.0 or later installed?"
        )
    addresses, routes, rules, neighbours = answers
    return State(
        links=links_from(addresses),
        routes=frozenset(_route_from(route) for route in routes),
        rules=frozenset((rule["priority"], str(rule.get("table", ""))) for rule in rules),
        sysctls={key: _read_sysctl(key) for key in wanted.sysctls},
        owned=_read_owned(owned),
        neighbours=frozenset(_neighbours_from(neighbours)),
        queues=queues.read() if any(link.kind == "gre" for link in wanted.links) else {},
    )


def _ip(options: list[str], text: str) -> str:
    command = ["ip", *options]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AgentError(f"{' '.join(command)}: {error}") from error
    if done.returncode:
        raise AgentError(explain(done.stderr, text))
    return done.stdout


def explain(stderr: str, batch: str) -> str:
    """Say which line of `batch` ip(8) refused: it names the line by its number only."""
    failed = re.search(r"Command failed -:(\d+)", stderr)
    reason = " ".join(line for line in stderr.splitlines() if not line.startswith("Command failed")).strip()
    command = batch.splitlines()[int(failed[1]) - 1] if failed else "-batch"
    return f"ip {command}: {reason or 'failed'}"


def _documents(text: str) -> Iterator[Any]:
    """The JSON documents that stand one after the other in `text`."""
    decoder, position = json.JSONDecoder(), 0
    while text[position:].strip():
        position += len(text[position:]) - len(text[position:].lstrip())
        document, position = decoder.raw_decode(text, position)
        yield document


def links_from(answer: Iterable[Mapping[str, Any]]) -> dict[str, Link]:
    """Read the answer of ``ip -json -details -N address show``."""
    kinds = {item["ifname"]: item.get("linkinfo", {}).get("info_kind") for item in answer}
    links = (_link_from(item, kinds) for item in answer)
    return {link.name: link for link in links}


def _link_from(item: Mapping[str, Any], kinds: Mapping[str, str | None]) -> Link:
    information = item.get("linkinfo", {})
    data, kind, master = information.get("info_data", {}), information.get("info_kind"), item.get("master")
    port: Kind = "loopback" if "LOOPBACK" in item["flags"] else "ethernet"
    return Link(
        name=item["ifname"],
        kind=_MADE.get(kind, port),
        mtu=item["mtu"],
        vrf=master if master is not None and kinds.get(master) == "vrf" else None,
        table=data.get("table") if kind == "vrf" else None,
        gre=Tunnel(data.get("local", "any"), data.get("remote", "any")) if kind == "gre" else None,
        xfrm=Xfrm(int(str(data.get("if_id", 0)), 0), item.get("link", "")) if kind == "xfrm" else None,
        addresses=tuple(_addresses_from(item.get("addr_info", ()))),
        link_address=None if kind in _MADE else item.get("address"),
        up="UP" in item["flags"],
    )


def _addresses_from(items: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for item in items:
        kept = int(str(item.get("protocol", 0)), 0) == KEEPALIVED or int(item["scope"]) >= GLOBAL_SCOPE
        if "local" in item and not kept:
            yield f"{item['local']}/{item['prefixlen']}"


def _route_from(item: Mapping[str, Any]) -> Route:
    prefix = "0.0.0.0/0" if item["dst"] == "default" else item["dst"]
    return Route(
        table=int(item.get("table", MAIN_TABLE)),
        prefix=prefix if "/" in prefix else f"{prefix}/32",
        via=item.get("gateway", ""),
        device=item.get("dev", ""),
        kind=int(item.get("type", UNICAST)),
        metric=item.get("metric", 0),
    )


def _neighbours_from(answer: Iterable[Mapping[str, Any]]) -> Iterator[Neighbour]:
    """Those of IPv4: the plan has no other (IPv6 is switched off)."""
    for item in answer:
        if ":" not in item["dst"] and "lladdr" in item:
            yield Neighbour(item["dst"], item["lladdr"], item["dev"])


def _read_sysctl(key: str) -> str | None:
    try:
        return " ".join((PROC_SYS / key).read_text().split())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AgentError(f"/proc/sys/{key}: cannot be read: {error.strerror}") from error


def _read_owned(path: Path) -> dict[str, str]:
    try:
        owned = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AgentError(f"{path}: {error}; remove the file, and by hand what is no longer wanted") from error
    return {str(name): str(kind) for name, kind in owned.items()}


def apply(change: Difference) -> None:
    """Carry `change` out.

    Raises:
        AgentError: naming the command or setting that failed; what stood before it is in force.
    """
    for key, value in change.before.items():
        _write_sysctl(key, value)
    if change.batch:
        text = "".join(f"{command}\n" for command in (*change.batch, *change.repeats))
        _ip(["-batch", "-"], text)
    if change.queues:
        queues.apply(change.queues)
    for key, value in change.after.items():
        _write_sysctl(key, value)


def _write_sysctl(key: str, value: str) -> None:
    try:
        (PROC_SYS / key).write_text(value)
    except OSError as error:
        raise AgentError(f"/proc/sys/{key}: cannot be set to {value!r}: {error.strerror}") from error


def write_owned(path: Path, owned: Mapping[str, str]) -> None:
    """Remember the interfaces that this program made, name and kind."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, json.dumps(owned, sort_keys=True))
    except OSError as error:
        raise AgentError(f"{path}: cannot be written: {error.strerror}") from error
