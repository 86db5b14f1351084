"""The Blender extension as one ZIP file, made from the sources of addon/, and as Blender lists it for its updates.

The same sources give the same bytes (sorted names, one fixed time), so that a download can be compared with a build
of one's own.  What only the terminal uses stays out: it needs more than Blender's Python brings.
"""

import hashlib
import io
import json
import tomllib
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
ADDON = PROJECT / "addon"

LEFT_OUT = {
    "agents_cli.py",
    "blend_header.py",
    "cli.py",
    "farm_cli.py",
    "headless.py",
    "inspection.py",
    "storage_cli.py",
    "terminal.py",
}
SUFFIXES = {".py", ".toml"}
#: The earliest time a zip file can hold.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
REGULAR_FILE_0644 = 0o100644 << 16

#: What Blender's list of a repository says of an extension, besides where it is.
_LISTED = (
    "schema_version",
    "id",
    "name",
    "tagline",
    "version",
    "type",
    "maintainer",
    "license",
    "blender_version_min",
    "tags",
    "permissions",
)


@dataclass(frozen=True)
class Extension:
    """The extension, ready to be installed."""

    filename: str
    """With its version: ``renderfarm-0.1.0.zip``."""
    data: bytes
    manifest: dict[str, Any]

    @property
    def listing(self) -> bytes:
        """What a repository of extensions answers with (Blender's ``server-generate`` writes the same), JSON."""
        entry = {name: self.manifest[name] for name in _LISTED if name in self.manifest}
        entry |= {
            "archive_url": f"./{self.filename}",
            "archive_size": len(self.data),
            "archive_hash": f"sha256:{hashlib.sha256(self.data).hexdigest()}",
        }
        return json.dumps({"version": "v1", "blocklist": [], "data": [entry]}).encode()


def build_extension(addon: Path = ADDON) -> Extension:
    """Return the extension made of the sources in ``addon``, a checkout's or an installed package's.

    Raises:
        OSError: the sources or the licence are not there.
    """
    manifest = tomllib.loads((addon / "blender_manifest.toml").read_text(encoding="utf-8"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        files = [("LICENSE", _license(addon)), *((path.name, path.read_bytes()) for path in sources(addon))]
        for name, data in files:
            entry = zipfile.ZipInfo(name, FIXED_TIME)
            entry.external_attr = REGULAR_FILE_0644
            entry.create_system = 3  # Unix, wherever it is built
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    return Extension(f"{manifest['id']}-{manifest['version']}.zip", made.getvalue(), manifest)


def sources(addon: Path) -> list[Path]:
    """Return the files that belong into the extension, in a fixed order."""
    return sorted(path for path in addon.iterdir() if path.suffix in SUFFIXES and path.name not in LEFT_OUT)


def _license(addon: Path) -> bytes:
    """Return the licence: beside the sources in a checkout, in the package's own metadata where it was installed."""
    beside = addon.parent / "LICENSE"
    if beside.is_file():
        return beside.read_bytes()
    try:
        text = distribution("blender-render-farm").read_text("licenses/LICENSE")
    except PackageNotFoundError:
        text = None
    if text is None:
        raise FileNotFoundError(f"{beside} is not there")
    return text.encode()
