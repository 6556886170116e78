"""Groups whose commands are imported when they are asked for: importing all of them takes a second."""

from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from click.shell_completion import CompletionItem


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not imported yet.

    Attributes:
        place: where it is, as ``module:attribute``.
        short_help: its line in the list of commands; empty for what the command says itself.
        extra: what brings it, where that is no part of every installation.
    """

    place: str
    short_help: str = ""
    extra: str = ""

    def command(self) -> click.Command:
        """Return the command, or one that says how to get it."""
        module, _, attribute = self.place.partition(":")
        try:
            return cast("click.Command", getattr(import_module(module), attribute))
        except ImportError as error:
            if not self.extra:
                raise
            return _missing(self.extra, error)


class Commands(UserDict[str, Later | click.Command]):
    """Commands by name, each imported when it is first asked for."""

    def __getitem__(self, name: str) -> click.Command:
        """Return a command."""
        found = self.data[name]
        if isinstance(found, Later):
            found = self.data[name] = found.command()
        return found


class LazyGroup(click.Group):
    """A group that tells its commands, and completes their names, without any of them."""

    def __init__(self, *arguments: Any, later: Mapping[str, Later], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.commands = cast("MutableMapping[str, click.Command]", Commands(later))
        self._short = {name: one.short_help for name, one in later.items()}

    def short_help_of(self, name: str) -> str:
        """Return the line of a command in the list of commands."""
        return self._short.get(name) or self.commands[name].get_short_help_str()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.short_help_of(name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands, or the options, that begin with what is typed."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - for a shell that asks

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self.short_help_of(name)) for name in names]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def _missing(extra: str, error: ImportError) -> click.Command:
    what = f"`heiiki {extra}` needs more than is installed here ({error.name})"
    remedy = f"{what}: run `pip install heiiki[{extra}]`"

    @click.command(
        extra,
        context_settings={"ignore_unknown_options": True},
        help=f"Needs the extra `heiiki[{extra}]`, which is not installed.",
    )
    @click.argument("arguments", nargs=-1)
    def command(arguments: tuple[str, ...]) -> None:  # noqa: ARG001 - whatever they are
        """Say how to get the command."""
        raise click.ClickException(remedy)

    return command
