"""Key derivation of the evolved packet system (3GPP TS 33.401 annex A, over TS 33.220 B.2)."""

import hashlib
import hmac

_FC_KASME = 0x10
_FC_ALGORITHM_KEY = 0x15
_NAS_ENCRYPTION = 0x01
_NAS_INTEGRITY = 0x02


def encode_plmn(mcc: str, mnc: str) -> bytes:
    """Return the three octets of a PLMN identity (TS 24.008 10.5.1.3); `mnc` has two or three digits."""
    third = mnc[2] if len(mnc) == len("000") else "f"
    return bytes.fromhex(mcc[1] + mcc[0] + third + mcc[2] + mnc[1] + mnc[0])


def _kdf(key: bytes, function: int, *parameters: bytes) -> bytes:
    text = bytes([function])
    for parameter in parameters:
        text += parameter + len(parameter).to_bytes(2, "big")
    return hmac.new(key, text, hashlib.sha256).digest()


def derive_kasme(ck: bytes, ik: bytes, plmn: bytes, sqn_xor_ak: bytes) -> bytes:
    """Return K_ASME, 32 bytes, of the serving network `plmn` (A.2)."""
    return _kdf(ck + ik, _FC_KASME, plmn, sqn_xor_ak)


def derive_nas_keys(kasme: bytes, ciphering: int, integrity: int) -> tuple[bytes, bytes]:
    """Return K_NASenc and K_NASint, 16 bytes each, for the algorithm identities chosen by the MME (A.7)."""
    encryption_key = _kdf(kasme, _FC_ALGORITHM_KEY, bytes([_NAS_ENCRYPTION]), bytes([ciphering]))
    integrity_key = _kdf(kasme, _FC_ALGORITHM_KEY, bytes([_NAS_INTEGRITY]), bytes([integrity]))
    return encryption_key[16:], integrity_key[16:]
