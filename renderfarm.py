"""The one command: gathers the subcommands that each room brings in its own cli.py."""

import importlib
import os
import sys

import click

#: The rooms' command modules.  They import little, and their commands import the rest when they run.
_ROOMS = ("coordinator.cli", "agent.cli", "addon.cli")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="blender-render-farm", prog_name="renderfarm")
def cli() -> None:
    """Render Blender animations on many machines, and follow them in the browser."""


for _room in _ROOMS:
    for _command in importlib.import_module(_room).COMMANDS:
        cli.add_command(_command)


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
