"""Against the test sets of TS 33.401 annex C, and both halves of a security context against one another."""

import pytest

from heiiki_lab.mobile.keys import derive_kasme, derive_nas_keys, encode_plmn
from heiiki_lab.mobile.nas_security import (
    DOWNLINK,
    EEA2,
    INTEGRITY_CIPHERED,
    NasSecurity,
    NasSecurityError,
    eea2,
    eia2,
    security_header,
)

KEY = bytes.fromhex("d3c5d592327fb11c4035c6680af8c6d1")


def test_eea2_set_1() -> None:
    plain = bytes.fromhex("981ba6824c1bfb1ab485472029b71d808ce33e2cc3c0b5fc1f3de8a6dc66b1f0")
    ciphered = eea2(KEY, 0x398A59B4, 0x15, 1, plain)
    # The set is 253 bits long: the last three bits of the last octet are not compared.
    expected = bytes.fromhex("e9fed8a63d155304d71df20bf3e82214b20ed7dad2f233dc3c22d7bdeeed8e78")
    assert (ciphered[:31], ciphered[31] & 0xF8) == (expected[:31], expected[31] & 0xF8)


def test_eia2_set_2() -> None:
    assert eia2(KEY, 0x398A59B4, 0x1A, 1, bytes.fromhex("484583d5afe082ae")).hex() == "b93787e6"


def test_plmn_with_two_and_three_digit_network_code() -> None:
    assert encode_plmn("440", "10").hex() == "44f001"
    assert encode_plmn("310", "410").hex() == "130014"


def test_nas_keys_differ_by_use_and_by_serving_network() -> None:
    first = derive_nas_keys(derive_kasme(KEY, KEY, encode_plmn("440", "10"), bytes(6)), 2, 2)
    second = derive_nas_keys(derive_kasme(KEY, KEY, encode_plmn("440", "11"), bytes(6)), 2, 2)
    assert len({*first, *second}) == 4
    assert {len(key) for key in first} == {16}


def downlink(message: bytes, count: int) -> bytes:
    body = eea2(KEY, count, 0, DOWNLINK, message)
    numbered = bytes([count & 0xFF]) + body
    return bytes([INTEGRITY_CIPHERED << 4 | 7]) + eia2(KEY, count, 0, DOWNLINK, numbered) + numbered


def test_verify_takes_what_the_network_protects_across_a_wrap() -> None:
    security = NasSecurity(KEY, KEY, EEA2)
    assert [security.verify(downlink(b"hello", count)) for count in (0, 255, 256)] == [b"hello"] * 3


def test_verify_refuses_a_replay_a_forgery_and_a_stub() -> None:
    security = NasSecurity(KEY, KEY, EEA2)
    message = downlink(b"hello", 0)
    security.verify(message)
    for bad in (message, message[:-1] + b"!", message[:6]):
        with pytest.raises(NasSecurityError):
            security.verify(bad)


def test_protect_numbers_and_hides() -> None:
    security = NasSecurity(KEY, KEY, EEA2)
    first, second = (security.protect(b"attach complete", INTEGRITY_CIPHERED) for _ in range(2))
    assert (first[5], second[5]) == (0, 1)
    assert b"attach" not in first
    assert security_header(first) == INTEGRITY_CIPHERED
