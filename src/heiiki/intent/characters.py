"""Characters that look like others: what an input method for Japanese or a word processor leaves."""

import re
import unicodedata

_QUOTES = dict.fromkeys("“”„‟＂″«»「」『』", '"') | dict.fromkeys("‘’‚‛＇′", "'")  # noqa: RUF001 - these are meant
_MINUS_SIGNS = "−ー"  # noqa: RUF001 - these are meant
_BLANKS = "\u3000\u00a0\u1680\u2000-\u200b\u202f\u205f\ufeff"

_STRUCTURE = tuple(
    re.compile(pattern)
    for pattern in (
        rf"^ *([{_BLANKS}])",
        r"^ *(?:- +)*[\w.-]+(：)",  # noqa: RUF001 - these are meant
        rf"^ *(?:- +)*[\w.-]+:([{_BLANKS}])",
        r"(?:: +|- +|^)([｛［])",  # noqa: RUF001 - these are meant
        r"[{\[][^}\]]*([，、：｝］])",  # noqa: RUF001 - these are meant
    )
)
"""A look-alike where YAML needs the sign itself: in front, behind a key, as a bracket, between entries."""
_TIGHT = re.compile(r"^ *(?:- +)*([A-Za-z_][A-Za-z0-9_]*):([^\s:#][^\s]*)")


def folded(text: str) -> str:
    """Return `text` with look-alikes replaced by the ASCII characters that were meant."""
    return "".join(
        _QUOTES.get(c) or ("-" if _kind(c) == _DASH else unicodedata.normalize("NFKC", c)) for c in text
    )


def lookalikes(text: str) -> str:
    """Say which look-alikes `text` holds, such as ``full-width digits``; empty when it holds none."""
    return " and ".join(dict.fromkeys(kind for c in text if (kind := _kind(c))))


_DASH = "a dash that is not `-`"


def _kind(char: str) -> str:
    if char.isascii():
        return ""
    category = unicodedata.category(char)
    if char in _QUOTES:
        return "curly quotes"
    if char in _MINUS_SIGNS or category == "Pd":
        return _DASH
    if category == "Zs":
        return "a blank that is not a space"
    return _wide(char, category) if unicodedata.normalize("NFKC", char).isascii() else ""


def _wide(char: str, category: str) -> str:
    width = "full-width" if unicodedata.east_asian_width(char) == "F" else "styled"
    return f"{width} {'digits' if category == 'Nd' else 'letters' if category[0] == 'L' else 'signs'}"


def out_of_place(line: str) -> tuple[int, str, str] | None:
    """Return where a line of YAML holds something but the sign it needs, from 1; what; what to do."""
    for pattern in _STRUCTURE:
        if found := pattern.search(line):
            char = found[1]
            meant = (
                "a space"
                if char.isspace() or char in "\u200b\ufeff"
                else f"`{folded(char).replace('、', ',')}`"
            )
            name = unicodedata.name(char, "").lower()
            what = f"U+{ord(char):04X} ({name}) stands where {meant} is meant"
            return found.start(1) + 1, what, "type it in half-width, as ASCII"
    if found := _TIGHT.search(line):
        what = "no space stands behind the colon"
        return found.end(1) + 1, what, f"write `{found[1]}: {found[2][:20]}`"
    return None
