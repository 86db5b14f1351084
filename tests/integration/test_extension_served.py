"""The coordinator hands out the Blender extension of its own version, and lists it as Blender's repositories do."""

import hashlib
import io
import zipfile

from tests.integration.coordinator import RunningCoordinator


async def test_anyone_gets_the_extension(small_farm: RunningCoordinator) -> None:
    answer = await small_farm.call("GET", "extension/renderfarm.zip", token=None)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/zip"
    name = answer.headers["Content-Disposition"].partition("filename=")[2].strip('"')
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert {"__init__.py", "blender_manifest.toml", "LICENSE"} <= set(archive.namelist())
    assert (await small_farm.call("GET", f"extension/{name}", token=None)).data == answer.data
    known = {"If-None-Match": answer.headers["ETag"]}
    assert (await small_farm.call("GET", "extension/renderfarm.zip", token=None, headers=known)).status == 304
    assert (await small_farm.call("GET", "extension/renderfarm-0.0.0.zip", token=None)).status == 404
    listing = (await small_farm.call("GET", "extension/index.json", token=None)).json
    (entry,) = listing["data"]
    assert (listing["version"], entry["id"], entry["archive_url"]) == ("v1", "renderfarm", f"./{name}")
    assert entry["archive_hash"] == f"sha256:{hashlib.sha256(answer.data).hexdigest()}"
    assert entry["archive_size"] == len(answer.data)
    assert name == f"renderfarm-{entry['version']}.zip"
