"""Statements in braces, as Junos prints them, to paths."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_LEXEME = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|#[^\n]*|\n|[{};]|[^\s"{};]+|"', re.DOTALL)
_TAGS = {"inactive:": "deactivate", "protect:": "protect"}


class MalformedError(Exception):
    """A statement that is none: its line, what stands there, and what is wrong."""


@dataclass(slots=True)
class _Statements:
    """What was read up to here."""

    opened: list[tuple[int, list[str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    number: int = 1
    empty: bool = False

    def take(self, lexeme: str) -> Iterator[list[str]]:
        """Read one more piece of the text; yield the paths that are complete with it."""
        match lexeme:
            case "{":
                self._open()
            case "}":
                yield from self._close()
            case ";":
                yield from self._end()
            case '"':
                raise self._malformed("a quotation mark is not closed; close it")
            case _ if not lexeme.startswith(("/*", "#", "\n")):
                self.words.append(lexeme)
        self.number += lexeme.count("\n")

    def finish(self) -> None:
        """Check that nothing is left open."""
        if self.opened:
            self.number, self.words = self.opened[-1]
        if self.words:
            raise self._malformed("is not ended; close its brace, or end it with a semicolon")

    def _open(self) -> None:
        if not self.words:
            raise self._malformed("a brace is opened by nothing; write before it what it belongs to")
        self.opened.append((self.number, self.words))
        self.words, self.empty = [], True

    def _close(self) -> Iterator[list[str]]:
        if self.words:
            raise self._malformed("has no semicolon; end it with one")
        if not self.opened:
            raise self._malformed("closes no brace; remove it")
        if self.empty:
            yield from self._end()
        self.opened.pop()

    def _end(self) -> Iterator[list[str]]:
        yield from _tagged([*(word for _, part in self.opened for word in part), *self.words])
        self.words, self.empty = [], False

    def _malformed(self, problem: str) -> MalformedError:
        return MalformedError(self.number, " ".join(self.words) or "}", problem)


def paths(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each statement of a text as a path that begins with its verb, and the line where it ends.

    Raises:
        MalformedError: a brace, a quotation mark or a semicolon is missing.
    """
    statements = _Statements()
    for lexeme in _LEXEME.findall(text):
        for path in statements.take(lexeme):
            yield statements.number, path
    statements.finish()


def _tagged(path: list[str]) -> Iterator[list[str]]:
    """Yield a statement, and the tags that stand before parts of it as lines of their own."""
    plain = [word for word in path if word not in _TAGS]
    yield ["set", *plain]
    seen = 0
    for word in path:
        if word in _TAGS:
            yield [_TAGS[word], *plain[: seen + 1]]
        else:
            seen += 1
