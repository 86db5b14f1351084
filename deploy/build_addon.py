#!/usr/bin/env python3
"""Build the Blender extension: dist/renderfarm-VERSION.zip, from addon/.

The same sources give the same bytes (sorted names, one fixed time), so that a download can be compared with a build
of one's own.  What only the terminal uses stays out: it needs more than Blender's Python brings.
"""

import argparse
import tomllib
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LICENSE = PROJECT / "LICENSE"
LEFT_OUT = {"agents_cli.py", "blend_header.py", "cli.py", "farm_cli.py", "headless.py", "inspection.py", "terminal.py"}
SUFFIXES = {".py", ".toml"}
#: The earliest time a zip file can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
REGULAR_FILE_0644 = 0o100644 << 16


def build(addon: Path, folder: Path) -> Path:
    """Write the extension made of ``addon`` into ``folder`` and return its path."""
    manifest = tomllib.loads((addon / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = folder / f"{manifest['id']}-{manifest['version']}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(".part")
    with zipfile.ZipFile(half, "w") as archive:
        for name, path in [("LICENSE", LICENSE), *((path.name, path) for path in sources(addon))]:
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.external_attr = REGULAR_FILE_0644
            entry.create_system = 3  # Unix, wherever it is built
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return half.replace(target)


def sources(addon: Path) -> list[Path]:
    """Return the files that belong into the extension, in a fixed order."""
    return sorted(path for path in addon.iterdir() if path.suffix in SUFFIXES and path.name not in LEFT_OUT)


def main() -> None:
    """Build from the command line; prints the path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "dist", metavar="FOLDER")
    print(build(PROJECT / "addon", parser.parse_args().output))  # noqa: T201 - a script that answers with a path


if __name__ == "__main__":
    main()
