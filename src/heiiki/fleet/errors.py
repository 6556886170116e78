"""What can go wrong between the controller and a network device."""

from heiiki.errors import HeiikiError


class FleetError(HeiikiError):
    """A device did not do what was asked; the message names it and holds no secret."""


class UnreachableError(FleetError):
    """There is no session: no route, no SSH, or no prompt in time. Nothing was changed."""


class HostKeyError(FleetError):
    """The device showed another host key than the one that is pinned, or one that was not accepted."""


class LoginError(FleetError):
    """The device did not let the user in, or the two ends have no algorithm in common."""


class BusyError(FleetError):
    """Another operator has the configuration; Heiiki does not throw anybody out."""


class ConsentError(FleetError):
    """The platform cannot take a change back by itself, and there is no consent."""


class NotPendingError(FleetError):
    """There is nothing to confirm: the rollback timer has run out already, or none was armed."""


class SessionLostError(FleetError):
    """The session broke while the device was asked something: which configuration it has is not known."""


class LineError(FleetError):
    """Another end of the line failed, so this one was not touched, or is left as it is."""


class NotShownError(FleetError):
    """What would be changed is not what was shown; the message names every difference."""


class StaleError(FleetError):
    """An older configuration does not fit any more: what other devices have for this one is not as it was."""


class RefusedError(FleetError):
    """The device refused a line.

    Attributes:
        number: the line's place in the change, from 1; 0 for a step that Heiiki added.
        line: the line, secrets masked.
        words: what the device said, secrets masked.
        reverted: the device has its old configuration again, by its own word.
    """

    def __init__(
        self, message: str, number: int, words: str, *, line: str = "", reverted: bool = False
    ) -> None:
        """Keep line and words beside the message."""
        self.number, self.line, self.words, self.reverted = number, line, words, reverted
        super().__init__(message)
