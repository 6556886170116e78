"""The SIM card of the lab: keys in a file, Milenage, and sequence numbers (TS 31.102, TS 33.102)."""

import json
from dataclasses import dataclass
from pathlib import Path

from heiiki_lab.mobile.keys import derive_kasme
from heiiki_lab.mobile.milenage import Milenage

CAUSE_MAC_FAILURE = 20
CAUSE_SYNCH_FAILURE = 21

_IND_BITS = 5
_RESYNCHRONISATION_AMF = bytes(2)


class SimError(ValueError):
    """The SIM's file cannot be used."""


class ChallengeRefusedError(Exception):
    """The SIM does not believe the network.

    Attributes:
        cause: EMM cause, 20 (MAC failure) or 21 (synch failure).
        auts: resynchronisation token, 14 bytes, for cause 21; else empty.
    """

    def __init__(self, cause: int, auts: bytes = b"") -> None:
        super().__init__(f"EMM cause {cause}")
        self.cause = cause
        self.auts = auts


@dataclass(frozen=True, slots=True)
class Authenticated:
    """What an accepted challenge gives: RES for the network, K_ASME for the phone."""

    res: bytes
    kasme: bytes


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


class Usim:
    """One SIM card.

    Args:
        imsi: its number, 14 or 15 digits.
        k: subscriber key, 16 bytes.
        opc: operator variant of that key, 16 bytes.
        memory: file that keeps the sequence numbers seen over a restart.
    """

    def __init__(self, imsi: str, k: bytes, opc: bytes, memory: Path) -> None:
        self.imsi = imsi
        self._milenage = Milenage(k, opc)
        self._memory = memory
        self._seen = self._load()

    def _load(self) -> dict[int, int]:
        try:
            seen = json.loads(self._memory.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return {}
        return {int(index): int(number) for index, number in seen.items()}

    def _store(self) -> None:
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        self._memory.write_text(json.dumps(self._seen), encoding="ascii")

    def answer(self, rand: bytes, autn: bytes, plmn: bytes) -> Authenticated:
        """Answer a challenge (TS 33.102 6.3.3).

        Args:
            rand: the challenge, 16 bytes.
            autn: the network's proof, 16 bytes.
            plmn: serving network, 3 octets.

        Raises:
            ChallengeRefusedError: the proof is wrong, or its sequence number has been used.
        """
        vector = self._milenage.f2_to_f5(rand)
        sqn, amf, mac = _xor(autn[:6], vector.ak), autn[6:8], autn[8:]
        if self._milenage.f1(rand, sqn, amf) != mac:
            raise ChallengeRefusedError(CAUSE_MAC_FAILURE)
        self._check(int.from_bytes(sqn, "big"), rand)
        return Authenticated(vector.res, derive_kasme(vector.ck, vector.ik, plmn, autn[:6]))

    def _check(self, sqn: int, rand: bytes) -> None:
        # TS 33.102 C.2: one highest number for each index, so that two vectors may overtake one another.
        number, index = sqn >> _IND_BITS, sqn & ((1 << _IND_BITS) - 1)
        if number <= self._seen.get(index, 0):
            raise ChallengeRefusedError(CAUSE_SYNCH_FAILURE, self._auts(rand))
        self._seen[index] = number
        self._store()

    def _auts(self, rand: bytes) -> bytes:
        number, index = max(((number, index) for index, number in self._seen.items()), default=(0, 0))
        sqn = (number << _IND_BITS | index).to_bytes(6, "big")
        mac = self._milenage.f1_star(rand, sqn, _RESYNCHRONISATION_AMF)
        return _xor(sqn, self._milenage.f5_star(rand)) + mac


def load_usim(path: Path, memory_folder: Path) -> Usim:
    """Read a SIM from its JSON file (`imsi`, `k`, `opc`, keys in hexadecimal).

    Raises:
        SimError: the file is missing, or is not such a file; keys are never part of the message.
    """
    try:
        data = json.loads(path.read_text(encoding="ascii"))
        imsi = str(data["imsi"])
        return Usim(imsi, bytes.fromhex(data["k"]), bytes.fromhex(data["opc"]), memory_folder / f"{imsi}.sqn")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SimError(
            f"{path}: not a SIM ({type(error).__name__}); write imsi, k and opc as `heiiki lab up` does"
        ) from error
