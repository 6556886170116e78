"""How long the messages of one data type took, kept as evidence: what its distribution is drawn from."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from heiiki.errors import EvidenceError

REQUIREMENT = "R-DELAY/messages"
"""The requirement whose verdicts rest on samples."""
_FOLDER, _PREFIX = "messages", "delays-"


@dataclass(frozen=True, slots=True)
class Samples:
    """The delays of one data type: a row of TR-1072 tables 5.5 to 5.8, of one kind of resource.

    Attributes:
        resource: kind of resource and control, such as ``battery, direct``.
        data: the data, as its table calls it.
        within_s: the delay that its table allows, seconds.
        how: between which two moments each was measured.
        judged: those that the verdicts are about, by site, seconds.
        earlier: those before, whatever was then done to the network; no verdict is about them.
        waiting: how long what has not arrived has been on its way, by site, seconds.
    """

    resource: str
    data: str
    within_s: float
    how: str
    judged: Mapping[str, tuple[float, ...]]
    earlier: Mapping[str, tuple[float, ...]]
    waiting: Mapping[str, float]

    def __post_init__(self) -> None:
        """Refuse a length of time that no clock gives."""
        given = (self.within_s, *self.waiting.values(), *self.arrived, *_all(self.earlier))
        if not all(math.isfinite(one) and one >= 0 for one in given):
            message = f"{self.resource}: {self.data}: a delay is no length in seconds"
            raise ValueError(message)

    @property
    def title(self) -> str:
        """Resource and data."""
        return f"{self.resource}: {self.data}"

    @property
    def arrived(self) -> tuple[float, ...]:
        """What is judged and has arrived, of all sites."""
        return _all(self.judged)

    @property
    def before(self) -> tuple[float, ...]:
        """What came earlier, of all sites."""
        return _all(self.earlier)

    @property
    def name(self) -> str:
        """Name of the file among the evidence."""
        letters = (letter if letter.isalnum() else "-" for letter in self.title)
        words = [word for word in "".join(letters).split("-") if word]
        return f"{_FOLDER}/{_PREFIX}{'-'.join(words)}.json"

    def text(self) -> bytes:
        """Return the content of that file."""
        return json.dumps(asdict(self), allow_nan=False).encode()


def _all(delays: Mapping[str, tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(one for site in delays.values() for one in site)


def are_samples(file: str) -> bool:
    """Tell whether a file of evidence, by its name, holds samples."""
    return f"/{_FOLDER}/{_PREFIX}" in file


def read(text: bytes) -> Samples:
    """Return what `Samples.text` wrote.

    Raises:
        EvidenceError: it is no such document.
    """
    try:
        found = json.loads(text)
        for name in ("judged", "earlier"):
            found[name] = {site: tuple(map(float, every)) for site, every in found[name].items()}
        return Samples(**found)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise EvidenceError(f"not a document of delays ({error}); measure again") from error
