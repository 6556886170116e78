"""The data model, from the SCL file that both ends read."""

from pathlib import Path

from open61850.scl import SclError
from open61850.server import IedModel

from heiiki_agent.errors import AgentError


def loaded(file: Path) -> IedModel:
    """Return the model of an SCL file.

    Raises:
        AgentError: it cannot be used.
    """
    try:
        return IedModel.from_scl(file)
    except (OSError, SyntaxError, SclError, ValueError) as error:
        raise AgentError(f"{file}: cannot be used as an SCL file: {error}; apply the build again") from error
