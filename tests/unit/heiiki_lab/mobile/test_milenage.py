"""Against the conformance sets of TS 35.208 4.3."""

import pytest

from heiiki_lab.mobile.milenage import Milenage, Vector

# K, RAND, SQN, AMF, OP, OPc, f1, f1*, f2, f5, f3, f4, f5*
SETS = {
    "1": (
        "465b5ce8b199b49faa5f0a2ee238a6bc",
        "23553cbe9637a89d218ae64dae47bf35",
        "ff9bb4d0b607",
        "b9b9",
        "cdc202d5123e20f62b6d676ac72cb318",
        "cd63cb71954a9f4e48a5994e37a02baf",
        "4a9ffac354dfafb3",
        "01cfaf9ec4e871e9",
        "a54211d5e3ba50bf",
        "aa689c648370",
        "b40ba9a3c58b2a05bbf0d987b21bf8cb",
        "f769bcd751044604127672711c6d3441",
        "451e8beca43b",
    ),
    "2": (
        "0396eb317b6d1c36f19c1c84cd6ffd16",
        "c00d603103dcee52c4478119494202e8",
        "fd8eef40df7d",
        "af17",
        "ff53bade17df5d4e793073ce9d7579fa",
        "53c15671c60a4b731c55b4a441c0bde2",
        "5df5b31807e258b0",
        "a8c016e51ef4a343",
        "d3a628ed988620f0",
        "c47783995f72",
        "58c433ff7a7082acd424220f2b67c556",
        "21a8c1f929702adb3e738488b9f5c5da",
        "30f1197061c1",
    ),
    "3": (
        "fec86ba6eb707ed08905757b1bb44b8f",
        "9f7c8d021accf4db213ccff0c7f71a6a",
        "9d0277595ffc",
        "725c",
        "dbc59adcb6f9a0ef735477b7fadf8374",
        "1006020f0a478bf6b699f15c062e42b3",
        "9cabc3e99baf7281",
        "95814ba2b3044324",
        "8011c48c0c214ed2",
        "33484dc2136b",
        "5dbdbb2954e8f3cde665b046179a5098",
        "59a92d3b476a0443487055cf88b2307b",
        "deacdd848cc6",
    ),
}


@pytest.mark.parametrize("name", SETS)
def test_conformance_set(name: str) -> None:
    k, rand, sqn, amf, _op, opc, f1, f1_star, f2, f5, f3, f4, f5_star = map(bytes.fromhex, SETS[name])
    milenage = Milenage(k, opc)
    assert milenage.f1(rand, sqn, amf) == f1
    assert milenage.f1_star(rand, sqn, amf) == f1_star
    assert milenage.f2_to_f5(rand) == Vector(res=f2, ck=f3, ik=f4, ak=f5)
    assert milenage.f5_star(rand) == f5_star


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes each, not 15 and 16"):
        Milenage(bytes(15), bytes(16))
