"""The one command: gathers the subcommands that each room brings in its own cli.py."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

#: The rooms' command modules.  They import little, and their commands import the rest when they run.
_ROOMS = ("addon.cli", "agent.cli", "coordinator.cli")


class Sections(click.Group):
    """A command whose subcommands are listed by what they are about."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin without subcommands."""
        super().__init__(*args, **kwargs)
        self._sections: dict[str, Sequence[click.Command]] = {}

    def add_section(self, title: str, commands: Sequence[click.Command]) -> None:
        """Add subcommands under a title, in this order."""
        self._sections[title] = commands
        for command in commands:
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click calls it
        """Write the list, with as much of each command's first sentence as it has: click itself would cut it off."""
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(command.name or "", command.get_short_help_str(_WHOLE)) for command in commands])


#: Longer than any command's first sentence, in characters.
_WHOLE = 1000


@click.group(cls=Sections, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="blender-render-farm", prog_name="renderfarm")
def cli() -> None:
    """Render Blender animations on many machines, and follow them in the browser."""


for _room in _ROOMS:
    for _title, _commands in importlib.import_module(_room).COMMANDS.items():
        cli.add_section(_title, _commands)


def main() -> None:
    """Run the command line; a mistake of ours is one sentence too, unless RENDERFARM_LOG_LEVEL is debug."""
    try:
        cli()
    except Exception as error:
        if os.environ.get("RENDERFARM_LOG_LEVEL") == "debug":
            raise
        click.echo(
            f"Error: renderfarm made a mistake ({type(error).__name__}: {error}); "
            "set RENDERFARM_LOG_LEVEL=debug to see where, and please report it.",
            err=True,
        )
        sys.exit(70)


if __name__ == "__main__":
    main()
