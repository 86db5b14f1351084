"""The plan of the house, as far as import-linter (pyproject.toml) does not hold it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
LONGEST_MODULE = 400
SAYS_NOTHING = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
ROOMS = ("addon", "agent", "benchmarks", "coordinator", "deploy", "examples", "tests", "web")
BLENDERS_OWN = {
    "_bpy",
    "_cycles",
    "blf",
    "bl_ext",
    "bl_operators",
    "bl_ui",
    "bpy",
    "bpy_extras",
    "gpu",
    "mathutils",
    "numpy",
}
TERMINAL_ONLY = {
    PROJECT / "addon" / name for name in ("agents_cli.py", "cli.py", "farm_cli.py", "storage_cli.py", "terminal.py")
}


def sources(*rooms: str, suffixes: tuple[str, ...] = (".py",)) -> list[Path]:
    """The files of the rooms that we wrote ourselves."""
    found = [
        path
        for room in rooms
        for path in sorted((PROJECT / room).rglob("*"))
        if path.suffix in suffixes and not {"vendor", "__pycache__"} & set(path.parts)
    ]
    assert found, f"nothing to look at in {rooms}"
    return found


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, wherever in it, and whether the import is relative."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level > 0


def foreign(path: Path, *allowed: str) -> set[str]:
    """The modules a file imports that are neither the standard library's nor below an allowed name."""
    return {
        name
        for name, relative in imports(path)
        if not relative
        and name.partition(".")[0] not in sys.stdlib_module_names
        and not any(name == root or name.startswith(f"{root}.") for root in allowed)
    }


def test_a_module_that_grows_has_two_purposes() -> None:
    lengths = {
        path.relative_to(PROJECT): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*sources(*ROOMS, suffixes=(".py", ".js", ".sh")), PROJECT / "renderfarm.py"]
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_a_modules_name_tells_its_purpose() -> None:
    names = [path for path in sources(*ROOMS, suffixes=(".py", ".js")) if set(path.stem.split("_")) & SAYS_NOTHING]
    assert names == []


@pytest.mark.parametrize("path", sources("coordinator/domain"), ids=lambda path: path.stem)
def test_the_domain_needs_the_standard_library_only(path: Path) -> None:
    assert foreign(path, "coordinator.domain") == set()


@pytest.mark.parametrize("path", sources("agent/blender/inside"), ids=lambda path: path.stem)
def test_what_runs_inside_blender_finds_what_it_imports(path: Path) -> None:
    assert foreign(path, "agent.blender.inside", *BLENDERS_OWN) == set()


def test_the_session_script_finds_what_it_imports_inside_blender() -> None:
    assert foreign(PROJECT / "agent/blender/host.py", "agent.blender.inside", *BLENDERS_OWN) == set()


@pytest.mark.parametrize(
    "path", [path for path in sources("addon") if path not in TERMINAL_ONLY], ids=lambda path: path.stem
)
def test_the_extension_finds_what_it_imports_inside_blender(path: Path) -> None:
    # Blender gives an extension a package name of its own, so that it can only import itself relatively.
    # It compresses what it sends where Blender brings that module along, as it nearly always does.
    own = {*BLENDERS_OWN, "zstandard"} if path.name == "batches.py" else BLENDERS_OWN
    assert foreign(path, *own) == set()


@pytest.mark.parametrize("path", sources("web", suffixes=(".js",)), ids=lambda path: path.stem)
def test_the_page_loads_nothing_from_elsewhere(path: Path) -> None:
    specifiers = re.findall(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""", path.read_text(encoding="utf-8"))
    assert [name for name in specifiers if "//" in name] == []


def test_the_pages_html_and_styles_load_nothing_from_elsewhere() -> None:
    for path in sources("web", suffixes=(".html", ".css")):
        loaded = re.findall(r"""(?:src=|href=|url\(|@import)\s*["']?(https?:|//)""", path.read_text(encoding="utf-8"))
        assert loaded == [], path


def test_importing_the_addon_needs_no_blender() -> None:
    script = "import sys; sys.modules['bpy'] = None; import addon"
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True, timeout=60)


def test_the_command_starts_without_its_heavy_parts() -> None:
    heavy = {"aiohttp", "alembic", "bpy", "PIL", "psycopg", "sqlalchemy"}
    script = "import sys, renderfarm; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, check=True, timeout=60, capture_output=True, text=True
    )
    assert heavy & set(loaded.stdout.split()) == set()


def test_an_exception_to_a_rule_names_it_and_gives_its_reason() -> None:
    exception = re.compile(r"#\s*(?:noqa|type:\s*ignore)(?P<code>:\s*[A-Z]+\d+|\[[\w, -]+\])?(?P<rest>.*)")
    wrong = [
        f"{path.relative_to(PROJECT)}:{number}"
        for path in sources(*ROOMS)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for found in exception.finditer(line)
        if not found["code"] or not re.search(r"[-#–] *\w", found["rest"])
    ]
    assert wrong == []
