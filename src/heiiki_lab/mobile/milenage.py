"""The Milenage algorithm set of the SIM and the HSS (3GPP TS 35.206)."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

# TS 35.206 4.1: the rotations r1 to r5, here in bytes, and the constants c1 to c5.
_ROTATIONS = (8, 0, 4, 8, 12)
_CONSTANTS = tuple(bytes(15) + bytes([last]) for last in (0, 1, 2, 4, 8))


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _rotate(block: bytes, count: int) -> bytes:
    return block[count:] + block[:count]


def _encrypt(key: bytes, block: bytes) -> bytes:
    # Milenage is defined on single blocks; there is no message longer than one to be given away by ECB.
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(block) + encryptor.finalize()


@dataclass(frozen=True, slots=True)
class Vector:
    """What one challenge gives a SIM that knows the key.

    Attributes:
        res: answer to the challenge (f2), 8 bytes.
        ck: cipher key (f3), 16 bytes.
        ik: integrity key (f4), 16 bytes.
        ak: anonymity key that hides the sequence number (f5), 6 bytes.
    """

    res: bytes
    ck: bytes
    ik: bytes
    ak: bytes


class Milenage:
    """The functions f1 to f5* for one subscriber.

    Args:
        k: subscriber key, 16 bytes.
        opc: operator variant derived for that key, 16 bytes.

    Raises:
        ValueError: a key is not 16 bytes long.
    """

    def __init__(self, k: bytes, opc: bytes) -> None:
        if (len(k), len(opc)) != (16, 16):
            raise ValueError(f"K and OPc are 16 bytes each, not {len(k)} and {len(opc)}")
        self._k = k
        self._opc = opc

    def _out(self, index: int, rand: bytes) -> bytes:
        temp = _encrypt(self._k, _xor(rand, self._opc))
        rotated = _rotate(_xor(temp, self._opc), _ROTATIONS[index - 1])
        return _xor(_encrypt(self._k, _xor(rotated, _CONSTANTS[index - 1])), self._opc)

    def _out1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        temp = _encrypt(self._k, _xor(rand, self._opc))
        rotated = _rotate(_xor((sqn + amf) * 2, self._opc), _ROTATIONS[0])
        return _xor(_encrypt(self._k, _xor(temp, rotated)), self._opc)

    def f1(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-A, with which the network proves itself: 8 bytes."""
        return self._out1(rand, sqn, amf)[:8]

    def f1_star(self, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
        """MAC-S, with which the SIM proves a resynchronisation: 8 bytes."""
        return self._out1(rand, sqn, amf)[8:]

    def f2_to_f5(self, rand: bytes) -> Vector:
        """RES, CK, IK and AK of the challenge `rand` (16 bytes)."""
        out2 = self._out(2, rand)
        return Vector(res=out2[8:], ck=self._out(3, rand), ik=self._out(4, rand), ak=out2[:6])

    def f5_star(self, rand: bytes) -> bytes:
        """Anonymity key of a resynchronisation: 6 bytes."""
        return self._out(5, rand)[:6]
