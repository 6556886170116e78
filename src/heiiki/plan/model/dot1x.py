"""A site's wired LAN with port-based access control (IEEE 802.1X-2020): authenticator and supplicant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Authenticator:
    """What a gateway is on its port to the LAN, with an EAP server of its own.

    Attributes:
        interface: the controlled port.
        name: the DNS name in its certificate.
        supplicant: the DNS name in the certificate of the only supplicant that it lets in, and its EAP
            identity.
        peer: name of the device that this is.
    """

    interface: str
    name: str
    supplicant: str
    peer: str


@dataclass(frozen=True, slots=True)
class Supplicant:
    """What a controller is on its port to the LAN.

    Attributes:
        interface: the controlled port.
        name: the DNS name in its certificate, which is its EAP identity.
        authenticator: the DNS name in the certificate of the only authenticator that it goes on with.
        peer: name of the device that this is.
    """

    interface: str
    name: str
    authenticator: str
    peer: str
