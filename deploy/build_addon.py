#!/usr/bin/env python3
"""Build the Blender extension: dist/renderfarm-VERSION.zip, from addon/.

The coordinator serves the same bytes at /extension/renderfarm.zip.
"""

import argparse
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def build(addon: Path, folder: Path) -> Path:
    """Write the extension made of ``addon`` into ``folder`` and return its path."""
    sys.path.insert(0, str(PROJECT))
    try:
        from coordinator.extension import build_extension
    finally:
        sys.path.remove(str(PROJECT))
    extension = build_extension(addon)
    target = folder / extension.filename
    folder.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(".part")
    half.write_bytes(extension.data)
    return half.replace(target)


def main() -> None:
    """Build from the command line; prints the path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--output", type=Path, default=PROJECT / "dist", metavar="FOLDER")
    print(build(PROJECT / "addon", parser.parse_args().output))  # noqa: T201 - a script that answers with a path


if __name__ == "__main__":
    main()
