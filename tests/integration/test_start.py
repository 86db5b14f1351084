"""The coordinator as a process: how it starts, says why it cannot, and stops."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

import renderfarm

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """Return a clean environment for a coordinator on a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RENDERFARM_")}
    return kept | {"RENDERFARM_DATA_DIR": str(folder), "RENDERFARM_PORT": "0"} | variables


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "renderfarm.py", *arguments],
        cwd=ROOT,
        env=environment(folder, **variables),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


@contextmanager
def coordinator(folder: Path, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a coordinator; yields the process and its address once it is ready."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        folder.mkdir(exist_ok=True)
        address, file = folder / "notify", folder / "ready.json"
        address.unlink(missing_ok=True)
        ready.bind(str(address))
        ready.settimeout(START_SECONDS)
        process = subprocess.Popen(
            [sys.executable, "renderfarm.py", "coordinator", "--ready-file", str(file)],
            cwd=ROOT,
            env=environment(folder, NOTIFY_SOCKET=str(address), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert ready.recv(100) == b"READY=1"
            yield process, json.loads(file.read_text())["url"]
        finally:
            process.kill()
            process.communicate()


def get(url: str, token: str = "") -> bytes:
    """Fetch an address."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own
        data: bytes = response.read()
        return data


def stopped(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Stop a coordinator as a service manager does; return what it said."""
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    return said


def test_the_first_start_shows_its_tokens_once(tmp_path: Path) -> None:
    with coordinator(tmp_path) as (process, url):
        assert json.loads(get(url + "api/v1/health"))["status"] == "ok"
        said, log = stopped(process)
    assert url in said
    assert not (tmp_path / "ready.json").exists(), "its address is no longer true"
    [admin] = re.findall(r"rf_admin_\S+", said)
    [_join] = re.findall(r"rf_join_\S+", said)
    assert "Traceback" not in log
    with coordinator(tmp_path) as (process, url):
        assert json.loads(get(url + "api/v1/jobs", admin))["items"] == []
        made = run(tmp_path, "token", "create", "admin", "--name", "second")
        assert made.returncode == 0, made.stderr
        assert json.loads(get(url + "api/v1/jobs", made.stdout.strip()))["items"] == []
        assert "second" in run(tmp_path, "token", "list").stdout
        said, _ = stopped(process)
    assert "rf_" not in said, "tokens are shown once"


def test_killed_and_started_again_with_a_preset_token(tmp_path: Path) -> None:
    preset = "rf_admin_preset0123456789"
    for _ in range(2):
        with coordinator(tmp_path, RENDERFARM_ADMIN_TOKEN=preset) as (process, url):
            assert get(url + "metrics", preset)
            process.kill()


def test_a_second_coordinator_keeps_off(tmp_path: Path) -> None:
    with coordinator(tmp_path) as (_, url):
        same_folder = run(tmp_path, "coordinator")
        same_port = run(tmp_path / "other", "coordinator", "--port", url.rsplit(":", 1)[1].strip("/"))
        assert get(url + "api/v1/health")
    assert same_folder.returncode == 1
    assert "Another coordinator runs on the folder" in same_folder.stderr
    assert same_port.returncode == 1
    assert "cannot be used (Address already in use)" in same_port.stderr
    assert not (tmp_path / "other").exists(), "nothing was made, no token was lost"


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["coordinator"], {"RENDERFARM_PORT": "http"}, "RENDERFARM_PORT is 'http'; it must be a port number"),
        (["coordinator"], {"RENDERFARM_HOST": "nowhere.invalid"}, "RENDERFARM_HOST is 'nowhere.invalid'"),
        (["coordinator"], {"RENDERFARM_DATA_DIR": "/proc/farm"}, "The folder /proc/farm cannot be written"),
        (["coordinator"], {"RENDERFARM_FFMPEG": "/no/ffmpeg"}, "RENDERFARM_FFMPEG is '/no/ffmpeg'"),
        (
            ["coordinator"],
            {"RENDERFARM_DATABASE_URL": "postgresql://ana:secret@127.0.0.1:1/farm"},
            "postgresql://ana:***@127.0.0.1:1/farm cannot be used",
        ),
        (["migrate"], {"RENDERFARM_DATABASE_URL": "sqlite:////no/farm.db"}, "sqlite:////no/farm.db cannot be used"),
        (["migrate"], {"RENDERFARM_DATA_DIR": "/proc/farm"}, "The folder /proc/farm cannot be made"),
        (["token", "list"], {}, "There is no farm's database at"),
        (["coordinator", "--ready-file", "/proc/farm"], {}, "The ready file /proc/farm cannot be written"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    # In this process, whose log is pytest's.
    monkeypatch.setattr("coordinator.cli._log", lambda _settings: None)
    ended = CliRunner().invoke(renderfarm.cli, arguments, env=environment(tmp_path / "farm", **variables))
    assert ended.exit_code == 1
    [error] = ended.stderr.splitlines()
    assert error.startswith("Error: ")
    assert said in error
    assert "secret" not in error
    assert isinstance(ended.exception, SystemExit), "it was foreseen"


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "renderfarm.db").write_bytes(b"this is no database" * 100)
    ended = run(tmp_path, "coordinator")
    assert ended.returncode == 1
    assert "renderfarm.db cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_migrating_makes_a_database(tmp_path: Path) -> None:
    for _ in range(2):
        assert run(tmp_path / "new" / "farm", "migrate").stdout == "The database is up to date.\n"
