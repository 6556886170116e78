"""What arrives on a stream, whole and in pieces, and what must not."""

import pytest

from heiiki_agent.xmpp.stream import LIMIT, MalformedError, Reader

HEADER = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"


def test_elements_come_one_after_the_other_however_they_are_cut() -> None:
    text = (
        HEADER
        + b"<message id='1'><body>a &amp; b</body></message> <iq id='2' xml:lang='en'/></stream:stream>"
    )
    for size in (1, 7, len(text)):
        reader = Reader()
        found = [one for at in range(0, len(text), size) for one in reader.feed(text[at : at + size])]
        assert [(one.tag, one.get("id")) for one in found] == [
            ("{jabber:client}message", "1"),
            ("{jabber:client}iq", "2"),
        ]
        assert found[0].findtext("{jabber:client}body") == "a & b"
        assert found[1].get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
        assert reader.closed


@pytest.mark.parametrize(
    "text",
    [
        b"<!DOCTYPE stream [<!ENTITY a 'b'>]>" + HEADER,
        HEADER + b"<!-- comment -->",
        HEADER + b"<?word of something?>",
    ],
)
def test_what_xmpp_forbids_ends_it(text: bytes) -> None:
    with pytest.raises(MalformedError, match="a declaration, a comment or a processing instruction"):
        list(Reader().feed(text))


def test_what_is_not_well_formed_ends_it() -> None:
    with pytest.raises(MalformedError, match="not well formed"):
        list(Reader().feed(HEADER + b"<message></iq>"))


def test_an_element_without_end_ends_it_and_many_small_ones_do_not() -> None:
    reader = Reader()
    assert list(reader.feed(HEADER)) == []
    for _ in range(5):
        assert len(list(reader.feed(b"<message/>" * (LIMIT // 20)))) == LIMIT // 20
    assert list(reader.feed(b"<message>" + b"x" * (LIMIT - 10))) == []
    with pytest.raises(MalformedError, match=f"more than {LIMIT} octets"):
        list(reader.feed(b"x" * 10))
