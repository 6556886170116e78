"""NAPALM's driver of FRRouting: a configuration is changed by difference, by `frr-reload.py` of FRRouting.

FRRouting has neither a candidate nor a rollback that `vtysh` could reach. So the candidate is a file, a
difference is what `frr-reload.py --test` finds, a commit is `--reload`, and a rollback is `--reload` with the
configuration of before. `revert_in` is a timer of systemd on the device that does the latter.
"""

import json
from pathlib import Path
from typing import Any

from napalm.base.base import NetworkDriver
from napalm.base.exceptions import (
    CommandErrorException,
    CommitConfirmException,
    CommitError,
    MergeConfigException,
    NapalmException,
    ReplaceConfigException,
)

from heiiki.fleet import frr_facts
from heiiki.fleet.frr_shell import Ran, Shell, Way, lines

_RELOAD = "/usr/lib/frr/frr-reload.py"
_SAVED = "/etc/frr/frr.conf"
_FOLDER = "/run/napalm-frr"
_UNIT = "napalm-frr-revert"
_HEADS = {"Lines To Delete": "-", "Lines To Add": "+"}
_NONE: dict[str, Any] = {}


class FrrDriver(NetworkDriver):  # type: ignore[misc]  # not annotated
    """FRRouting on Linux, over SSH.

    Optional arguments: `port`; `key_file`; `known_hosts`, the file with the host's key (without, the user's
    own: a host that it does not know is refused); `become`, for a user whom `sudo` makes root;
    `frr_reload`, the program; `folder`, where drafts are on the device, which root alone should read.

    A merge can add lines only: a line with `no` is refused, for `frr-reload.py` compares whole
    configurations. It gives lines that it removes to `vtysh` as arguments, so who may list processes on the
    device can read a BGP password that is removed.
    """

    platform = "frr"

    def __init__(
        self,
        hostname: str,
        username: str,
        password: str,
        timeout: int = 60,
        optional_args: dict[str, Any] | None = None,
    ) -> None:
        """Say how the device is reached; nothing is sent yet."""
        given = optional_args or _NONE
        self.hostname, self.username, self.timeout = hostname, username, timeout
        self.profile = [self.platform]
        self._reload = str(given.get("frr_reload", _RELOAD))
        self._folder = str(given.get("folder", _FOLDER))
        self._candidate = ""
        self._replace = False
        self._shell = Shell(
            Way(
                hostname,
                username,
                password,
                int(given.get("port", 22)),
                str(given.get("key_file") or ""),
                str(given.get("known_hosts") or ""),
                bool(given.get("become", False)),
                float(timeout),
            )
        )

    def open(self) -> None:
        """Connect."""
        self._shell.open()

    def close(self) -> None:
        """End the connection; a timer that runs on the device goes on."""
        self._shell.close()

    def is_alive(self) -> dict[str, bool]:
        """Tell whether the connection is there."""
        return {"is_alive": self._shell.is_alive()}

    def load_replace_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Take a whole configuration, which FRRouting examines."""
        self._load(_text(filename, config), ReplaceConfigException, replace=True)

    def load_merge_candidate(self, filename: str | None = None, config: str | None = None) -> None:
        """Take lines to be added, which FRRouting examines."""
        text = _text(filename, config)
        removed = next((line.strip() for line in text.splitlines() if line.split()[:1] == ["no"]), "")
        if removed:
            raise MergeConfigException(
                f"`{removed}`: a merge only adds lines here; load a whole configuration"
            )
        self._load(f"{self._running()}\n{text}", MergeConfigException, replace=False)

    def compare_config(self) -> str:
        """Return what a commit would remove and add, line by line, each after its section."""
        return self._difference(self._candidate) if self._candidate else ""

    def commit_config(self, message: str = "", revert_in: int | None = None) -> None:
        """Apply the candidate, and save it unless it has yet to be confirmed.

        What runs is compared afterwards, whatever `frr-reload.py` said: where it is not the candidate, the
        configuration of before is put back, and an exception says so.
        """
        if message:
            raise NotImplementedError("FRRouting keeps no message with a configuration")
        if not self._candidate:
            raise CommitError("there is no candidate: load one first")
        if self.has_pending_commit():
            raise CommitError("an earlier commit waits to be confirmed")
        self._put("backup", self._running())
        if revert_in is not None:
            self._arm(revert_in)
        try:
            self._apply(self._candidate)
        except CommitError as error:
            self._revert()
            kind = ReplaceConfigException if self._replace else MergeConfigException
            raise kind(f"{error}; the configuration of before is back") from error
        self.discard_config()
        if revert_in is None:
            self._save()

    def has_pending_commit(self) -> bool:
        """Tell whether the timer runs, or what it started is at work."""
        return any(self._is_active(kind) for kind in ("timer", "service"))

    def confirm_commit(self) -> None:
        """Stop the timer, and save."""
        if not self._is_active("timer"):
            raise CommitError("nothing waits to be confirmed: the timer has run out, or there was none")
        self._disarm()
        self._save()

    def discard_config(self) -> None:
        """Forget the candidate."""
        self._candidate = ""
        self._shell.run("rm", "-f", self._file("candidate"))

    def rollback(self) -> None:
        """Put back the configuration of before the last commit."""
        if self._shell.run("test", "-s", self._file("backup")).code:
            raise CommitError("there is no earlier configuration: this device had no commit since it started")
        self._revert()
        self._save()

    def get_facts(self) -> dict[str, Any]:
        """Return what the device is."""
        version, name = frr_facts.version(self._vtysh("show version"))
        host = self._said("hostname", "-f").strip() or name
        return {
            "uptime": float(self._said("cat", "/proc/uptime").split()[0]),
            "vendor": "FRRouting",
            "model": self._said("uname", "-srm").strip(),
            "hostname": name,
            "fqdn": host,
            "os_version": version,
            "serial_number": "",
            "interface_list": [one["ifname"] for one in json.loads(self._said("ip", "-json", "link"))],
        }

    def get_interfaces(self) -> dict[str, Any]:
        """Return the kernel's interfaces."""
        links = self._said("ip", "-json", "link")
        return frr_facts.interfaces(links, self._speeds([one["ifname"] for one in json.loads(links)]))

    def get_interfaces_ip(self) -> dict[str, Any]:
        """Return the kernel's addresses."""
        return frr_facts.addresses(self._said("ip", "-json", "address"))

    def get_bgp_neighbors(self) -> dict[str, Any]:
        """Return the BGP neighbours of every VRF."""
        return frr_facts.bgp_neighbors(self._vtysh("show bgp vrf all neighbors json"))

    def get_config(
        self,
        retrieve: str = "all",
        full: bool = False,
        sanitized: bool = False,
        format: str = "text",  # noqa: A002 - NAPALM's name
    ) -> dict[str, str]:
        """Return what runs, what is saved, and the candidate; `full` makes no difference here."""
        del full
        if format != "text":
            raise NotImplementedError("FRRouting shows its configuration as text alone")
        names = ("running", "startup", "candidate")
        texts = {name: self._config(name) if retrieve in ("all", name) else "" for name in names}
        return {name: frr_facts.without_secrets(text) if sanitized else text for name, text in texts.items()}

    def cli(self, commands: list[str], encoding: str = "text") -> dict[str, Any]:
        """Return what `vtysh` says to each command."""
        if encoding != "text":
            raise NotImplementedError("commands say text here")
        return {command: self._vtysh(command) for command in commands}

    def _load(self, text: str, kind: type[NapalmException], *, replace: bool) -> None:
        self._put("candidate", text)
        examined = self._shell.run("vtysh", "--dryrun", "-f", self._file("candidate"))
        if examined.code:
            self.discard_config()
            raise kind(f"FRRouting does not accept it: {lines(examined, 'no reason was given')}")
        self._candidate, self._replace = text, replace

    def _apply(self, text: str) -> None:
        """Make a configuration run.

        Raises:
            CommitError: something else runs.
        """
        self._put("candidate", text)
        ran = self._shell.run(*self._reloads("candidate"))
        # Its exit code says little: it is 1 for some changes that were applied.
        if left := self._difference(text):
            told = f"; frr-reload.py ended with {ran.code}: {lines(ran)}" if ran.code else ""
            raise CommitError(f"what runs is not what was asked for, {' / '.join(left.splitlines())}{told}")

    def _difference(self, text: str) -> str:
        self._put("candidate", text)
        found = self._ok(self._shell.run(self._reload, "--test", self._file("candidate")))
        sign, told = "", []
        for line in found.splitlines():
            if line in _HEADS:
                sign = _HEADS[line]
            elif sign and line.strip() and set(line) != {"="}:
                told.append(f"{sign}{line}")
        return "\n".join(told)

    def _arm(self, seconds: int) -> None:
        timer = (f"--unit={_UNIT}", f"--on-active={seconds}", "--timer-property=AccuracySec=1s")
        armed = self._shell.run("systemd-run", "--quiet", *timer, *self._reloads("backup"))
        if armed.code or not self._is_active("timer"):
            why = lines(armed, "its timer does not run")
            raise CommitConfirmException(f"revert_in needs systemd on the device; nothing was changed: {why}")

    def _disarm(self) -> None:
        self._shell.run("systemctl", "stop", f"{_UNIT}.timer")
        if self.has_pending_commit():
            raise CommitError("the timer ran out at this moment: the configuration of before comes back")

    def _revert(self) -> None:
        """Put the configuration of before back; only then the timer is stopped, for it would do the same."""
        self._apply(self._said("cat", self._file("backup")))
        self._shell.run("systemctl", "stop", f"{_UNIT}.timer")

    def _is_active(self, kind: str) -> bool:
        told = self._shell.run("systemctl", "is-active", f"{_UNIT}.{kind}").out.strip()
        return told in ("active", "activating", "reloading")

    def _save(self) -> None:
        self._ok(self._shell.run("vtysh", "-c", "write memory"))

    def _running(self) -> str:
        text = self._vtysh("show running-config")
        head, mark, body = text.partition("Current configuration:\n")
        return body if mark else head

    def _config(self, name: str) -> str:
        if name == "candidate":
            return self._candidate
        return self._running() if name == "running" else self._saved()

    def _saved(self) -> str:
        there = self._shell.run("test", "-e", _SAVED).code == 0
        return self._said("cat", _SAVED) if there else ""

    def _put(self, name: str, text: str) -> None:
        """Write a file that root alone can read."""
        self._ok(self._shell.run("install", "-d", "-m", "0700", self._folder, f"{self._folder}/{name}"))
        content = f"{text.rstrip()}\n"
        self._ok(self._shell.run("install", "-m", "0600", "/dev/stdin", self._file(name), given=content))

    def _file(self, name: str) -> str:
        return f"{self._folder}/{name}/frr.conf"

    def _reloads(self, name: str) -> tuple[str, ...]:
        """Return what makes a file run, and no more.

        `frr-reload.py` saves what runs as well, unless the file is `frr.conf` of the folder that it takes for
        FRRouting's own: a change that waits to be confirmed would outlive a reboot.
        """
        where = f"{self._folder}/{name}"
        return self._reload, "--reload", "--stdout", "--confdir", where, self._file(name)

    def _speeds(self, names: list[str]) -> dict[str, str]:
        return {name: self._shell.run("cat", f"/sys/class/net/{name}/speed").out for name in names}

    def _vtysh(self, command: str) -> str:
        return self._ok(self._shell.run("vtysh", "-c", command))

    def _said(self, *words: str) -> str:
        return self._ok(self._shell.run(*words))

    def _ok(self, ran: Ran) -> str:
        if ran.code:
            raise CommandErrorException(f"{self.hostname}: {lines(ran, f'exit code {ran.code}')}")
        return ran.out


def _text(filename: str | None, config: str | None) -> str:
    if config is None and filename is None:
        raise ValueError("neither a file nor a text is given")
    return config if config is not None else Path(str(filename)).read_text(encoding="utf-8")
