"""What a comparison of two configurations gives."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Difference:
    """How two configurations of one device differ.

    Attributes:
        diff: both normal forms as a unified diff, without secrets; a secret that changes is a line that goes
            and one that comes. Empty when there is no difference.
        remediation: the lines that bring the device from running to intended, one command each. They hold the
            secrets that are to be set, and so do not appear in the representation of this object.
        rollback: the lines that bring it back, with the secrets that were there.
        hidden: lines of the intended configuration that the device takes and never shows. Nothing can say
            whether it has them, so the caller decides when to send them.
    """

    diff: str = ""
    remediation: tuple[str, ...] = field(default=(), repr=False)
    rollback: tuple[str, ...] = field(default=(), repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def __bool__(self) -> bool:
        """Whether there is a difference."""
        return bool(self.remediation)
