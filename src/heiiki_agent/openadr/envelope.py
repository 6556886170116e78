"""What is round a message on its way: nothing, or its signature (OpenADR 2.0b clause 10, security levels).

Engines work with messages alone. What leaves is sealed at the edge, each time again, so that a message that
is sent twice has two signatures; what comes is opened there, and from then on is what was signed.
"""

from typing import Literal, Protocol

from heiiki_agent.openadr.codec import LIMIT
from heiiki_agent.tls import Credentials

Security = Literal["standard", "high"]
"""``standard``: TLS with certificates of both ends. ``high``: each message has a signature besides."""


class Envelope(Protocol):
    """Seals and opens the messages of one end."""

    def renew(self, credentials: Credentials) -> None:
        """Seal with these from now on; AgentError where they cannot be used."""

    def sealed(self, message: bytes) -> bytes:
        """Return what is sent."""

    def opened(self, data: bytes, certificate: bytes, limit: int = LIMIT) -> bytes:
        """Return the message in what came from the holder of a certificate (DER); Malformed if it is none."""


class Bare:
    """No envelope: TLS says who speaks, and that it was not changed. A signature is not looked at."""

    def renew(self, credentials: Credentials) -> None:
        """Need none."""

    def sealed(self, message: bytes) -> bytes:
        """Return it as it is."""
        return message

    def opened(self, data: bytes, certificate: bytes, limit: int = LIMIT) -> bytes:  # noqa: ARG002 - any peer
        """Return it as it is."""
        return data


def envelope(security: Security) -> Envelope:
    """Return the envelope of a security level."""
    if security == "standard":
        return Bare()
    # A device without signatures has no package for them.
    from heiiki_agent.openadr.signatures import Signatures  # noqa: PLC0415

    return Signatures()
