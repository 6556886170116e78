"""What the configuration of the registration authority holds."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated

from heiiki_agent.pki.names import Names
from heiiki_agent.pki.settings import Address, ApiPath, Dns, Endpoint, Jid, Uri
from heiiki_agent.tls import Credentials

DeviceName = Annotated[str, r"[a-z0-9][a-z0-9_-]{0,62}"]


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """A device that may enrol, with the names that its certificate bears."""

    device: DeviceName
    dns: Annotated[tuple[Dns, ...], 1]
    addresses: tuple[Address, ...]
    uris: tuple[Uri, ...]
    jids: tuple[Jid, ...]

    @property
    def names(self) -> Names:
        """Names of its certificate."""
        return Names(self.dns, self.addresses, self.uris, self.jids)


@dataclass(frozen=True, kw_only=True)
class VaultSettings:
    """The Vault servers, and how this program is known there.

    Attributes:
        servers: asked one after the other, until one serves.
        mount: path of the issuing CA.
        answer_s: how long a device waits for their answer before it is told to come again, seconds.
    """

    servers: Annotated[tuple[Endpoint, ...], 1]
    mount: ApiPath
    answer_s: Annotated[int, range(1, 61)] = 15


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The configuration, parsed.

    Attributes:
        host: name in this host's certificate, by which it is known at the Vault server too.
        addresses, port: where it listens.
        log_in: folder of the keys by which it logs in there.
        control: socket of the operator, for root alone.
        status: file that says how it is; None: there is none.
        per_day: certificates that one device gets in 24 hours at most.
        requests_per_s, burst: what each address may ask.
    """

    host: Dns
    addresses: Annotated[tuple[Annotated[str, IPv4Address], ...], 1]
    port: Annotated[int, range(65_536)]
    database: Path
    credentials: Credentials
    log_in: Path
    control: Path
    vault: VaultSettings
    devices: tuple[DeviceSettings, ...]
    status: Path | None = None
    per_day: Annotated[int, range(1, 1001)] = 10
    requests_per_s: Annotated[int, range(1, 1001)] = 1
    burst: Annotated[int, range(1, 1001)] = 20

    def __post_init__(self) -> None:
        """Refuse two devices that share a name."""
        for names in ([one.device for one in self.devices], [dns for one in self.devices for dns in one.dns]):
            if doubled := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"devices: {', '.join(doubled)} is there twice")
