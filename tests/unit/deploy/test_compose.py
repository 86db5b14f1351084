"""docker-compose.yml, the Dockerfiles and .env.example: read as text, since no container engine is needed for that."""

import fnmatch
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
COMPOSE = PROJECT / "docker-compose.yml"
DOCKERFILES = sorted((PROJECT / "deploy" / "docker").glob("*.Dockerfile"))
OUR_OWN = ("coordinator", "agent-cpu", "agent-gpu")


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def in_context(path: str) -> bool:
    """Whether .dockerignore lets a path of the checkout into the build; the last pattern that fits decides."""
    kept = True
    for line in (PROJECT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and (fnmatch.fnmatch(path, pattern) or path.startswith(f"{pattern}/")):
            kept = line.startswith("!")
    return kept


def test_what_compose_reads_is_what_the_example_offers() -> None:
    read = set(re.findall(r"\$\{(\w+)", COMPOSE.read_text(encoding="utf-8")))
    offered = set(re.findall(r"^(\w+)=", (PROJECT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert read == offered


def test_the_example_holds_no_secret() -> None:
    for name, value in re.findall(
        r"^(\w*(?:TOKEN|PASSWORD))=(.*)$", (PROJECT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert value == "", name


def test_secrets_have_no_default() -> None:
    for name, rest in re.findall(r"\$\{(\w*(?:TOKEN|PASSWORD))([^}]*)\}", COMPOSE.read_text(encoding="utf-8")):
        assert rest == "" or rest.startswith(":?"), name


def test_the_services_are_a_coordinator_its_database_and_two_kinds_of_agents(compose: Any) -> None:
    services = compose["services"]
    assert set(services) == {"postgres", *OUR_OWN}
    assert services["agent-cpu"]["profiles"] == ["cpu"]
    assert services["agent-gpu"]["profiles"] == ["gpu"]
    assert not {"profiles"} & (services["coordinator"].keys() | services["postgres"].keys())
    [device] = services["agent-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


@pytest.mark.parametrize("name", OUR_OWN)
def test_our_containers_may_do_no_more_than_they_need(compose: Any, name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_what_a_service_waits_for_and_keeps_exists(compose: Any) -> None:
    for name, service in compose["services"].items():
        for other, wait in service.get("depends_on", {}).items():
            assert wait["condition"] == "service_healthy", name
            assert other in compose["services"], name
            waited_for = compose["services"][other]
            checked = "healthcheck" in waited_for or "HEALTHCHECK" in (
                PROJECT / waited_for["build"]["dockerfile"]
            ).read_text(encoding="utf-8")
            assert checked, f"{name} waits for {other}, whose health nothing checks"
        for volume in service["volumes"]:
            assert volume.partition(":")[0] in compose["volumes"], name


@pytest.mark.parametrize("name", OUR_OWN)
def test_every_image_is_made_from_a_file_that_is_there(compose: Any, name: str) -> None:
    assert PROJECT / compose["services"][name]["build"]["dockerfile"] in DOCKERFILES


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_a_dockerfile_copies_what_is_in_its_context(path: Path) -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert copies
    for source in " ".join(copies).split():
        assert (PROJECT / source).exists(), source
        assert in_context(source), f".dockerignore keeps {source} out"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_has_a_pinned_base_hashed_packages_and_an_ordinary_user(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    assert all(re.fullmatch(r"python:\d+\.\d+-slim-[a-z]+", base) for base in bases)
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in text
    assert re.search(r"^USER renderfarm$", text, re.MULTILINE)


def test_secrets_of_the_checkout_stay_out_of_the_images() -> None:
    for path in (".env", ".git/config", ".venv/bin/python", ".demo/coordinator/renderfarm.db", "tests/conftest.py"):
        assert not in_context(path), path
