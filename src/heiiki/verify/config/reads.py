"""What programs read besides what they are sent: one table, and what is wrong with what was found.

A daemon's own word ends where no command asks for a value: charon tells of no retransmission timer. There
every file that it reads must be explained, by the plan or by Debian's package, and be older than its last
start or reload.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from heiiki.render.model import DeviceBuild
from heiiki.verify.config.attribution import ACCESS, ESP, GAP, NOT_KNOWN, Concerned

SLACK_S = 1.0
"""A file that is replaced changes its folder in the same moment: less than this apart."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a program reads by itself; what systemd reads for its unit is known for every unit.

    Attributes:
        packages: Debian packages that bring unit and files.
        files: patterns of files.
        trees: files that may include others, each with the variable of the environment that names another.
        told: files whose values the program tells, so that these are compared, and not how old the file is.
        environment: variables that its own scripts set.
        concerned: requirements that its values serve, whatever its files are said to hold; empty: as these.
    """

    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    trees: tuple[tuple[str, str], ...] = ()
    told: frozenset[str] = frozenset()
    environment: frozenset[str] = frozenset()
    concerned: Concerned = field(default=NOT_KNOWN)


READS: Mapping[str, Reads] = {
    "strongswan": Reads(
        ("charon-systemd", "libstrongswan"),
        ("/etc/ssl/openssl.cnf",),
        (("/etc/strongswan.conf", "STRONGSWAN_CONF"), ("/etc/swanctl/swanctl.conf", "")),
        told=frozenset({"/etc/swanctl/swanctl.conf"}),
        # Retransmissions and liveness end an SA that is dead: they hold R-GAP beside the trust in a peer.
        concerned=frozenset({GAP, ACCESS, ESP}),
    ),
    "keepalived": Reads(
        ("keepalived",),
        trees=(("/etc/keepalived/keepalived.conf", ""),),
        told=frozenset({"/etc/keepalived/keepalived.conf"}),
        environment=frozenset({"TMPDIR"}),
    ),
    "frr": Reads(
        ("frr",),
        # A daemon reads its own file, or the copy that vtysh kept of it, where frr.conf cannot be read.
        ("/etc/frr/*.conf", "/etc/frr/*.conf.sav", "/etc/frr/daemons", "/etc/default/frr"),
        told=frozenset({"/etc/frr/frr.conf"}),
    ),
    "heiiki-vault": Reads(files=("/etc/heiiki/vault.hcl",)),
    "nftables": Reads(("nftables",)),
    # Lua looks in these folders before those of the packages.
    "prosody": Reads(
        ("prosody",),
        (
            "/etc/prosody/*.lua",
            "/etc/ssl/openssl.cnf",
            "/usr/local/lib/heiiki/prosody/*",
            "/usr/local/lib/lua/5.4/*",
            "/usr/local/share/lua/5.4/*",
        ),
    ),
    "heiiki-radius": Reads(("freeradius",), ("/etc/heiiki/radius/*", "/etc/ssl/openssl.cnf")),
    # Of every run of pppd, before what it is told.
    "heiiki-pppoe": Reads(("ppp",), ("/etc/ppp/options",)),
}
"""By unit; every other unit of the plan reads files of the plan's alone, and is looked at as a unit."""

NOT_READ: Mapping[str, Any] = {"files": (), "folders": (), "loaded": 0.0, "environment": ()}
"""Nothing was said of a program: why, is said where it is looked for what could not be read."""

EVERY = ("/etc/ld.so.preload",)
"""What every program reads."""

ENVIRONMENT = frozenset(
    {
        *(
            "LANG",
            "LANGUAGE",
            "PATH",
            "HOME",
            "LOGNAME",
            "USER",
            "SHELL",
            "PWD",
            "OLDPWD",
            "SHLVL",
            "_",
            "TERM",
        ),
        *("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "NOTIFY_SOCKET", "MANAGERPID", "MAINPID"),
        *(
            "MEMORY_PRESSURE_WATCH",
            "MEMORY_PRESSURE_WRITE",
            "WATCHDOG_PID",
            "WATCHDOG_USEC",
            "TZ",
            "TERM",
            "PIDFILE",
        ),
        *("CONFIGURATION_DIRECTORY", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "LOGS_DIRECTORY"),
        *("CACHE_DIRECTORY", "CREDENTIALS_DIRECTORY"),
    }
)
"""Variables that systemd or a shell sets by itself (systemd.exec(5)); no program reads settings from them."""


def question(services: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of probe ``reads`` for units."""
    asked = {name: READS.get(name, Reads()) for name in services}
    return {
        "programs": {
            name: {"files": [*one.files, *EVERY], "trees": list(one.trees), "packages": one.packages}
            for name, one in asked.items()
        }
    }


def concerned(service: str) -> Concerned:
    """Return the requirements that the values of a service serve."""
    return READS.get(service, Reads()).concerned


def wrong(build: DeviceBuild, added: frozenset[str], service: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Yield what nothing explains in what a program reads.

    Args:
        build: what the device is sent.
        added: files that its management adds.
        service: the unit.
        said: what the probe said of it.
    """
    compiled = build.contents.keys()
    for one in said["files"]:
        if not (one["path"] in compiled or one["path"] in added or one["packaged"]):
            yield f"{service} reads {one['path']}, which neither plan nor package put there as it is"
    known = ENVIRONMENT | READS.get(service, Reads()).environment
    foreign = [one for one in said["environment"] if one not in known and not one.startswith("LC_")]
    yield from (
        f"{service} runs with {one} in its environment, which none of its files sets" for one in foreign
    )
    yield from _later(service, said)


def _later(service: str, said: Mapping[str, Any]) -> Iterator[str]:
    """Files that were changed, or are gone, since the program read them."""
    loaded, advice = said["loaded"], f"systemctl reload-or-restart {service}"
    if not loaded:
        return
    own = [one for one in said["files"] if one["own"]]
    yield from (
        f"{one['path']} was changed after {service} was started or reloaded: {advice}"
        for one in own
        if one["changed"] > loaded and one["path"] not in READS.get(service, Reads()).told
    )
    for folder in said["folders"]:
        newest = max((one["changed"] for one in _in(folder["path"], own)), default=0.0)
        if folder["changed"] > max(loaded, newest + SLACK_S):
            yield f"{folder['path']} lost a file after {service} was started or reloaded: {advice}"


def _in(folder: str, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in files if str(PurePosixPath(one["path"]).parent) == folder]
