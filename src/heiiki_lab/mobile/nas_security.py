"""Protection of NAS messages: 128-EIA2, 128-EEA2, security header (TS 33.401 annex B, TS 24.301 9.1)."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

UPLINK = 0
DOWNLINK = 1

EEA0 = 0
EEA2 = 2
EIA2 = 2

INTEGRITY_CIPHERED = 2
INTEGRITY_NEW_CONTEXT = 3
INTEGRITY_CIPHERED_NEW_CONTEXT = 4

_CIPHERED = (INTEGRITY_CIPHERED, INTEGRITY_CIPHERED_NEW_CONTEXT)
_EMM = 0x07
_HEADER = 6
_NAS_BEARER = 0


class NasSecurityError(ValueError):
    """A NAS message is not protected as the security context demands."""


def eea2(key: bytes, count: int, bearer: int, direction: int, data: bytes) -> bytes:
    """Cipher or decipher `data` with 128-EEA2, AES in counter mode (TS 33.401 B.1.3)."""
    block = count.to_bytes(4, "big") + bytes([bearer << 3 | direction << 2]) + bytes(11)
    encryptor = Cipher(algorithms.AES(key), modes.CTR(block)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def eia2(key: bytes, count: int, bearer: int, direction: int, data: bytes) -> bytes:
    """Return the 4-byte MAC of `data` under 128-EIA2, AES-CMAC (TS 33.401 B.2.3)."""
    cmac = CMAC(algorithms.AES(key))
    cmac.update(count.to_bytes(4, "big") + bytes([bearer << 3 | direction << 2]) + bytes(3) + data)
    return cmac.finalize()[:4]


def security_header(message: bytes) -> int:
    """Return the security header type of a NAS message; 0 is a plain one."""
    return message[0] >> 4 if message and message[0] & 0x0F == _EMM else 0


def inner_message(message: bytes) -> bytes:
    """Return what stands behind the security header, without checking or deciphering it."""
    return message[_HEADER:]


class NasSecurity:
    """The UE's half of one EPS security context.

    Args:
        encryption_key: K_NASenc, 16 bytes.
        integrity_key: K_NASint, 16 bytes.
        ciphering: EEA0 or EEA2.
    """

    def __init__(self, encryption_key: bytes, integrity_key: bytes, ciphering: int) -> None:
        self._encryption_key = encryption_key
        self._integrity_key = integrity_key
        self._ciphering = ciphering
        self._uplink_count = 0
        self._downlink_count = 0

    def _cipher(self, count: int, direction: int, data: bytes) -> bytes:
        if self._ciphering == EEA0:
            return data
        return eea2(self._encryption_key, count, _NAS_BEARER, direction, data)

    def protect(self, message: bytes, header: int) -> bytes:
        """Return the plain uplink `message` behind the security header of type `header`."""
        count = self._uplink_count
        body = self._cipher(count, UPLINK, message) if header in _CIPHERED else message
        numbered = bytes([count & 0xFF]) + body
        mac = eia2(self._integrity_key, count, _NAS_BEARER, UPLINK, numbered)
        self._uplink_count += 1
        return bytes([header << 4 | _EMM]) + mac + numbered

    def verify(self, message: bytes) -> bytes:
        """Return the plain text of a protected downlink message.

        Raises:
            NasSecurityError: the message is cut off, replayed, or its MAC is wrong.
        """
        if len(message) <= _HEADER:
            raise NasSecurityError(
                f"a protected NAS message has more than {_HEADER} bytes, this {len(message)}"
            )
        mac, numbered = message[1:5], message[5:]
        count = self._estimate(numbered[0])
        if eia2(self._integrity_key, count, _NAS_BEARER, DOWNLINK, numbered) != mac:
            raise NasSecurityError(f"wrong MAC at downlink count {count}: forged, replayed, or another key")
        self._downlink_count = count + 1
        body = numbered[1:]
        return self._cipher(count, DOWNLINK, body) if security_header(message) in _CIPHERED else body

    def _estimate(self, sequence_number: int) -> int:
        # TS 24.301 4.4.3.1: the message carries 8 of 24 bits; a smaller number means that the upper ones
        # went up.
        count = self._downlink_count & ~0xFF | sequence_number
        return count if count >= self._downlink_count else count + 0x100
