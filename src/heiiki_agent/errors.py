"""What a part of the agent tells its user when it cannot do its work."""


class AgentError(Exception):
    """What is wrong, where, and what to do about it; one problem a line."""

    exit_status = 1


class ServerError(AgentError):
    """Vault is away, sealed, or refuses; the device is as before. `status` is HTTP's, 0 for none."""

    exit_status = 3

    def __init__(self, message: str, status: int = 0) -> None:
        """Say `message`."""
        super().__init__(message)
        self.status = status
