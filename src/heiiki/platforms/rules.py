"""The words in which a platform is described: one `Table` of rules each, data that one engine reads."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How lines of one rule stand beside one another."""

    SET = "set"
    """Each line stands for itself, and their order says nothing."""
    ONE = "one"
    """One line for each key: a new value takes the place of the old one, without a negation."""
    NUMBERED = "numbered"
    """Entries of an ordered list that carry their number, which is free once the entry is taken out."""
    POSITIONED = "positioned"
    """Entries of an ordered list in the order in which they were entered, without a number."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be known of lines that begin with the same words.

    Attributes:
        words: regular expression for the beginning of the line, up to the end of a word. For `Kind.ONE` its
            groups are the key (all that it matches, where it has none), for an ordered list the first one
            names the list.
        kind: how such lines stand beside one another.
        undo: the line that takes this one back, with ``{0}`` for what `words` matched and ``{1}`` for its
            first group; empty: the platform's negation of the line, without its secret.
        undo_list: the line that takes a whole ordered list back; empty: each entry is taken back.
        rank: the place in a change. Lower ranks are added first and removed last; what is referred to ranks
            below what refers to it.
        definition: other lines may refer to it by name, so it is removed when everything else is done.
        inside: the rules of the section that the line opens; None where it opens none.
        lasting: the section itself cannot be removed (a physical interface): its lines are taken back one by
            one, and an empty one is the same as none.
        whole: a section of the same key whose own line changes is removed and made again; otherwise the new
            line takes the place of the old one, and what stands below it stays.
        ends: the line that leaves the section.
        takes: beginning of the lines, in the same section and below it, that the device removes together with
            this one, with ``{1}`` for the first group.
        takes_always: the device removes them too when this line is added or gets a new value.
        numbering: entries of this section that have no number get the next multiple of it, as the device
            gives them.
        then: a command that has to follow once, after all lines, for a change of this line to take effect.
    """

    words: str
    kind: Kind = Kind.SET
    undo: str = ""
    undo_list: str = ""
    rank: int = 50
    definition: bool = False
    inside: "Rules | None" = None
    lasting: bool = False
    whole: bool = False
    ends: str = "exit"
    takes: str = ""
    takes_always: bool = False
    numbering: int = 0
    then: str = ""


class Rules:
    """The rules of one section, found by the first word of a line."""

    __slots__ = ("_by_word", "_others")

    def __init__(self, *rules: Rule) -> None:
        """Compile the rules; the first one that fits a line is the line's."""
        compiled = [(_first_words(rule.words), _whole_words(rule.words), rule) for rule in rules]
        self._by_word: dict[str, list[tuple[re.Pattern[str], Rule]]] = {
            word: [(pattern, rule) for others, pattern, rule in compiled if word in others or "" in others]
            for words, _, _ in compiled
            for word in words
        }
        self._others = self._by_word.get("", [])

    def find(self, positive: str) -> tuple[Rule, re.Match[str] | None]:
        """Return the rule of a line without its negation, and what of the line it matched."""
        for pattern, rule in self._by_word.get(positive.partition(" ")[0], self._others):
            if found := pattern.match(positive):
                return rule, found
        return UNKNOWN, None


def _whole_words(words: str) -> re.Pattern[str]:
    return re.compile(f"(?:{words})(?![^ ])")


def _first_words(words: str) -> frozenset[str]:
    """Return the words that lines of a rule begin with; an empty one stands for any."""
    parts = _alternatives(words)
    if len(parts) > 1:
        return frozenset().union(*map(_first_words, parts))
    if words.startswith("("):
        inside, rest = _group(words)
        return _first_words(inside) if rest.startswith(" ") or not rest else frozenset({""})
    word = re.match(r"[\w-]+(?= |$)", words)
    return frozenset({word[0] if word else ""})


def _alternatives(words: str) -> list[str]:
    """Split an expression at the bars that stand in no group."""
    parts, depth = [""], 0
    for char in words:
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _group(words: str) -> tuple[str, str]:
    """Return what the group that an expression begins with holds, and what follows it."""
    depth = 0
    for place, char in enumerate(words):
        depth += (char == "(") - (char == ")")
        if not depth:
            return words[1:place].removeprefix("?:"), words[place + 1 :]
    raise ValueError(words)


NOTHING = Rules()
"""The rules of a section of which nothing is known."""

UNKNOWN = Rule("", inside=NOTHING)
"""A line that no rule knows: it stands for itself, and may open a section of such lines."""


@dataclass(frozen=True, slots=True)
class Table:
    """Everything that the engine knows of one platform.

    Attributes:
        name: the platform, as an intent names it.
        rules: the rules of lines outside every section.
        negation: what is put before a line to take it back, and taken off one that is itself a negation.
        comments: the characters that a comment begins with.
        ends: lines that leave a section, in the text of a device.
        untouched: lines outside sections that no reload adds, changes or removes, with everything below them:
            what belongs to the device itself (host keys, certificates, boot markers), and what it only
            prints.
        defaults: lines that say what holds without them; a device may print them or not.
        blocks: beginnings of lines outside sections that hold a delimiter; everything up to the next one is
            their text (a banner).
        hidden: lines that a device takes and never shows again, such as users of SNMPv3.
        secrets: regular expressions, found anywhere in a line; what their groups match is secret.
        clear: for such paths: returns the secret behind the form in which the device shows one, and anything
            else as it is.
        undo_by_key: a line of a kind of its own is taken back by its key alone.
        flat: deeper indentation of a device's text is no section of its own.
        paths: the text is Junos's: statements in braces, or one path a line with ``set``.
        ordered: for such paths: expressions whose first group is a list, and the second one an element of it
            with statements of its own, whose order counts.
        ordered_values: the same for lists of plain values, with the value as the second group.
    """

    name: str
    rules: Rules = field(repr=False)
    negation: str = "no "
    comments: str = "!"
    ends: frozenset[str] = frozenset({"exit"})
    untouched: tuple[str, ...] = ()
    defaults: frozenset[str] = frozenset()
    blocks: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    clear: Callable[[str], str] = str
    undo_by_key: bool = False
    flat: bool = False
    paths: bool = False
    ordered: tuple[str, ...] = ()
    ordered_values: tuple[str, ...] = ()


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression that matches where one of `patterns` does, up to the end of a word."""
    return re.compile("|".join(f"(?:{pattern})(?![^ ])" for pattern in patterns) or r"(?!)")
