"""What explains a thing on a host beside the plan: Debian's own parts, and the way to manage hosts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from heiiki.plan.model import Device


@dataclass(frozen=True, slots=True)
class Added:
    """What the way to a service's devices adds to one of them; `heiiki.management` says it in the open.

    Attributes:
        interfaces: interfaces that no link of the plan ends at.
        programs: programs that may have sockets, without being a service of the plan.
        accounts: accounts of persons, who may log in with a key.
        packages: Debian packages that no service of the plan needs.
        files: files that programs of the plan read.
        rates: interfaces at which it gives a line its rate (netem), with that rate, kbit/s.
    """

    interfaces: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    rates: Mapping[str, int] = field(default_factory=dict)


Adds = Callable[[Device], Added]
"""Says what is added to a device."""


def nothing(_device: Device) -> Added:
    """Add nothing."""
    return Added()


FALLBACKS = frozenset(
    {"gre0", "gretap0", "erspan0", "tunl0", "sit0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"}
)
"""Devices that the kernel makes by itself with a kind of tunnel; they are down."""

QDISCS = frozenset({"noqueue", "pfifo_fast", "fq_codel", "fq", "mq", "pfifo"})
"""Queues that the kernel gives an interface by itself."""

SHAPERS = frozenset({"tbf", "prio"})
"""Those that a tunnel has besides where the rate of its line is known."""

UNITS = (
    r"(systemd-|dbus|getty@|serial-getty@|user@|user-runtime-dir@|session-|init\.scope|ssh\.|sshd@|cron\.|"
    r"networking\.|udev|kmod-static-nodes|ifup@|ModemManager|apt-daily|dpkg-db-backup|logrotate|"
    r"e2scrub|fstrim|man-db|keyboard-setup|console-setup|apparmor|polkit)"
)
"""Units of a Debian host as it is installed, with SSH server and ModemManager; a regular expression."""

CRONTABS = frozenset(
    {
        "/etc/cron.d/e2scrub_all",
        "/etc/cron.daily/apt-compat",
        "/etc/cron.daily/dpkg",
        "/etc/cron.daily/logrotate",
        "/etc/cron.daily/man-db",
        "/etc/cron.weekly/man-db",
    }
)
"""Those of the same host."""

FILES = (
    *("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*", "/etc/ssh/sshrc"),
    *(f"{folder}/systemd/*.conf.d/*" for folder in ("/etc", "/run", "/usr/local/lib")),
    "/etc/systemd/*.conf",
    *(
        f"{folder}/systemd/system-{kind}generators/*"
        for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
        for kind in ("", "environment-")
    ),
    *("/usr/local/lib/systemd/system/*", "/usr/local/lib/systemd/system/*/*"),
    *("/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d/*"),
    *(f"{folder}/sysctl.d/*" for folder in ("/etc", "/run", "/usr/local/lib")),
    *("/etc/sysctl.conf", "/etc/modules-load.d/*", "/etc/modprobe.d/*", "/etc/udev/rules.d/*"),
    *("/etc/tmpfiles.d/*", "/etc/rc.local"),
)
"""What SSH server, systemd, linker, kernel and udev of a Debian host read; patterns.

A file there is explained by the plan, by a package that brought it as it is, or by the host's management.
"""
