"""A secret that Junos shows otherwise than it was sent is no difference; netutils is the oracle."""

import random
import string
import warnings

import pytest

from heiiki import platforms
from heiiki.platforms.junos_secret import clear
from heiiki_lab.devices.junos_secret import disguised, stored

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it loads `crypt`, which Python drops, for another form
    from netutils.password import decrypt_juniper_type9, encrypt_juniper_type9

KEY = "set protocols bgp group PE neighbor 192.0.2.2 authentication-key"
IKE = "set security ike policy HUB pre-shared-key ascii-text"
JUNOS = platforms.of("juniper_junos")


@pytest.mark.parametrize("seed", range(20))
def test_the_form_is_the_one_that_others_read_and_write(seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311
    for length in (1, 2, 7, 8, 43):
        secret = "".join(chosen.choices(string.ascii_letters + string.digits + "+/=-_!", k=length))
        shown = disguised(secret)
        assert decrypt_juniper_type9(shown) == secret
        assert clear(shown) == clear(encrypt_juniper_type9(secret)) == secret
        assert len({disguised(secret) for _ in range(50)}) > 1  # each time with a salt of its own


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "$9$",
        "$9$Q",
        "$9$7YdwgGDkTz6oJz69A1INd",
        "$9$no letter: ä",
        "$6$salt$hash",
        "$9$LbHX-wg4",
    ],
)
def test_what_is_no_such_form_stays_as_it_is(text: str) -> None:
    assert clear(text) == text


@pytest.mark.parametrize("line", [KEY, IKE])
def test_one_secret_in_two_forms_is_no_difference(line: str) -> None:
    intended = f'{line} "right"\n'
    for running in (
        f'{line} "{disguised("right")}"\n',
        f"{line} {disguised('right')}\n",
        f"{stored(intended.strip())}\n",
    ):
        assert not JUNOS.compare(running, intended)
        assert not JUNOS.compare(intended, running)


@pytest.mark.parametrize("line", [KEY, IKE])
def test_another_secret_is_one_and_neither_is_shown(line: str) -> None:
    there, wanted = f'{line} "{disguised("wrong")}"\n', f'{line} "right"\n'
    found = JUNOS.compare(there, wanted)
    assert found.remediation[-1] == wanted.strip()
    assert found.rollback[-1] == f'{line} "wrong"'
    assert "<secret>" in found.diff
    assert not any(word in found.diff for word in ("right", "wrong", "$9$"))


def test_what_cannot_be_read_back_differs() -> None:
    """A hash says nothing of what was sent: it is told as a difference, never taken for equal."""
    line = "set snmp v3 usm local-engine user x authentication-sha authentication-key"
    assert JUNOS.compare(f'{line} "$8$aes256-gcm$x"\n', f'{line} "right"\n')


def test_braces_are_read_alike() -> None:
    key = f'authentication-key "{disguised("right")}"; ## SECRET-DATA\n'
    text = f"protocols {{ bgp {{ group PE {{ neighbor 192.0.2.2 {{ {key} }} }} }} }}"
    assert not JUNOS.compare(text, f'{KEY} "right"\n')
