"""The root of the command line: every error ends in a message, or in JSON, and in an exit code."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NoReturn

import click

from heiiki.cli.lazy import LazyGroup
from heiiki.cli.terminal import OutputError, prepare, say
from heiiki.errors import HeiikiError, IntentError

FAILED, BAD_INPUT = 1, 2
_NO_NAME = (
    f"a name is not in the encoding of the locale, {sys.getfilesystemencoding()}; "
    "set LC_ALL to the encoding of your files, such as C.UTF-8"
)


def examples(*lines: str) -> str:
    """Return the end of a help text: examples, one a line."""
    return "\n".join(["\b", "Examples:" if lines[1:] else "Example:", *(f"  {line}" for line in lines)])


class RootGroup(LazyGroup):
    """The group `heiiki`: its commands end in a message, never in a traceback."""

    def main(  # type: ignore[override]  # click's own has two overloads for the same arguments
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit; as click's own, which `standalone_mode` set to False calls."""
        words = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(words, prog_name, standalone_mode=False, **extra)
        prepare()
        return self._run(words, prog_name, extra)

    def _run(self, words: list[str], prog_name: str | None, extra: dict[str, Any]) -> NoReturn:
        as_json = "--json" in words
        try:
            code = super().main(words, prog_name, standalone_mode=False, **extra)
            sys.exit(code if isinstance(code, int) else 0)
        except BrokenPipeError:
            raise
        except IntentError as error:
            sys.exit(_tell_problems(error, as_json=as_json))
        except OutputError as error:
            sys.exit(_tell(*_said(error), as_json=False))
        except (click.ClickException, click.Abort, HeiikiError, OSError, UnicodeEncodeError) as error:
            sys.exit(_tell(*_said(error), as_json=as_json))


def _said(error: Exception) -> tuple[click.ClickException, int]:
    """Return an error as click tells one, and the exit code."""
    match error:
        case click.ClickException():
            return error, error.exit_code
        case click.Abort():
            return click.ClickException("aborted"), FAILED
        case OSError():
            return click.ClickException(_of_system(error)), FAILED
        case UnicodeEncodeError():
            # A name in the command, in another encoding than the locale's: no file can be called so.
            return click.ClickException(_NO_NAME), BAD_INPUT
    return click.ClickException(str(error)), FAILED


def _of_system(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; name a place that can be written"


def _tell_problems(error: IntentError, *, as_json: bool) -> int:
    """Write every mistake of the intent; return the exit code."""
    problems = error.problems
    if as_json:
        return _json([asdict(problem) | {"file": str(problem.file)} for problem in problems], BAD_INPUT)
    count = len(problems)
    lines = [*map(str, problems), f"{count} {'problem' if count == 1 else 'problems'}"]
    say("\n".join(lines), err=True)
    return BAD_INPUT


def _tell(error: click.ClickException, code: int, *, as_json: bool) -> int:
    if as_json:
        empty = {"file": "", "line": 0, "column": 0, "where": ""}
        return _json([{**empty, "what": error.format_message(), "fix": ""}], code)
    lines = f"Error: {error.format_message()}"
    if isinstance(error, click.UsageError) and (ctx := error.ctx):
        lines = f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n\n{lines}"
    say(lines, err=True)
    return code


def _json(problems: list[dict[str, Any]], code: int) -> int:
    """Write problems as the one JSON document of the run; say on standard error when that is impossible."""
    try:
        say(json.dumps({"problems": problems}, indent=1))
    except OutputError as error:
        say(f"Error: {error}", err=True)
    return code
