"""The kernel's options: what is asked, in words that Kconfig reads, and whether the result holds it."""

from dataclasses import dataclass

from heiiki.errors import LabError


@dataclass(frozen=True, slots=True)
class Option:
    """One asked option, such as `NET_VRF` = `y`; value `n` asks that it be off."""

    name: str
    value: str

    def __str__(self) -> str:
        """The line that Kconfig reads and writes."""
        if self.value == "n":
            return f"# CONFIG_{self.name} is not set"
        return f"CONFIG_{self.name}={self.value}"


def parse(text: str) -> tuple[Option, ...]:
    """Read the options file: one option a line, `NAME` or `NAME=VALUE`, comments on lines of their own.

    Raises:
        LabError: an option is asked twice.
    """
    lines = (line.strip() for line in text.splitlines())
    options = tuple(_option(line) for line in lines if line and not line.startswith("#"))
    names = [option.name for option in options]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise LabError(f"kernel options: asked twice: {', '.join(twice)}; keep one line of each")
    return options


def _option(line: str) -> Option:
    name, _, value = line.partition("=")
    return Option(name, value or "y")


def fragment(options: tuple[Option, ...]) -> str:
    """The options as a file for KCONFIG_ALLCONFIG."""
    return "".join(f"{option}\n" for option in options)


def not_held(options: tuple[Option, ...], config: str) -> tuple[Option, ...]:
    """The options that a finished `.config` does not hold.

    Kconfig drops an option silently when what it depends on is off, and leaves out one that is unknown or
    hidden; so an option asked off may be absent, one asked on may not.
    """
    present = set(config.splitlines())
    names = {line.removeprefix("CONFIG_").partition("=")[0] for line in present if line.startswith("CONFIG_")}
    return tuple(
        option
        for option in options
        if (option.name in names if option.value == "n" else str(option) not in present)
    )
