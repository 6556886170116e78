"""What is wrong with a message, as OpenADR says it (OpenADR 2.0b, response codes of eiResponse)."""

from enum import StrEnum


class Code(StrEnum):
    """Application response codes (OpenADR 2.0b, table of response codes)."""

    OK = "200"
    OUT_OF_SEQUENCE = "450"
    NOT_ALLOWED = "451"
    INVALID_ID = "452"
    NOT_RECOGNIZED = "453"
    INVALID_DATA = "454"
    COMPLIANCE_ERROR = "459"
    NOT_AUTHORIZED = "463"
    OTHER_ERROR = "469"


class Refused(Exception):  # noqa: N818  # what is said to the peer; not a fault of this program
    """A message that is answered by an error.

    Attributes:
        code: response code of the answer.
        description: responseDescription of the answer: what is wrong, and what to do.
    """

    def __init__(self, code: Code, description: str) -> None:
        """Say why."""
        super().__init__(description)
        self.code = code
        self.description = description


class Malformed(Refused):
    """Bytes that are no message of OpenADR 2.0b.

    Attributes:
        element: path of the element that is wrong; empty for the message as a whole.
    """

    def __init__(self, problem: str, element: str = "", code: Code = Code.INVALID_DATA) -> None:
        """Say what is wrong with which element."""
        super().__init__(code, f"{element}: {problem}" if element else problem)
        self.problem = problem
        self.element = element

    def inside(self, name: str) -> "Malformed":
        """Return the same problem, seen from the element `name` around it."""
        return Malformed(self.problem, f"{name}/{self.element}" if self.element else name, self.code)


class TooLarge(Malformed):
    """A message above the size limit: it is not even looked at."""


class NotXml(Malformed):
    """Bytes that no parser is given, or that a parser refuses."""
