"""What ``renderfarm --help`` lists."""

import re

from click.testing import CliRunner

from renderfarm import cli


def test_every_command_is_listed_once_under_a_title_with_its_whole_first_sentence() -> None:
    listed = CliRunner().invoke(cli, ["--help"]).output
    names = re.findall(r"^  ([a-z][a-z-]+)  ", listed, re.MULTILINE)
    assert sorted(names) == sorted(cli.commands)
    assert re.findall(r"^(\w.*):$", listed, re.MULTILINE)[1:] == [
        "Jobs", "Agents", "Users", "Storage", "This machine", "The coordinator",
    ]  # fmt: skip
    assert "..." not in listed.split("Jobs:")[1]
    assert "stop-agent" in listed
    assert "others render them anew." in listed
