"""Settings come from variables, and a bad one is named."""

from pathlib import Path

import pytest

from coordinator.settings import Settings, SettingsError, read_settings


def test_nothing_set_gives_the_defaults() -> None:
    assert read_settings({}) == Settings()
    assert read_settings({"RENDERFARM_PORT": " "}) == Settings()


def test_variables_are_converted() -> None:
    settings = read_settings(
        {"RENDERFARM_PORT": "0", "RENDERFARM_LEASE_SECONDS": "12.5", "RENDERFARM_DATA_DIR": "/a b"}
    )
    assert (settings.port, settings.lease_seconds, settings.folder) == (0, 12.5, Path("/a b"))
    assert settings.database == "sqlite:////a b/renderfarm.db"


def test_the_command_line_wins() -> None:
    environment = {"RENDERFARM_PORT": "1", "RENDERFARM_HOST": "::1"}
    settings = read_settings(environment, port=2, host=None)
    assert (settings.port, settings.host) == (2, "::1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "65536"),
        ("LEASE_SECONDS", "0"),
        ("LEASE_SECONDS", "nan"),
        ("LOG_LEVEL", "loud"),
        ("RESERVE_BYTES", "-1"),
        ("DATABASE_URL", "mysql://ana:secret@host/farm"),
        ("ADMIN_TOKEN", "secret"),
        ("JOIN_TOKEN", "rf_admin_0123456789abcdef"),
        ("PUBLIC_URL", "farm.example.com"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({f"RENDERFARM_{name}": value})
    text = str(caught.value)
    assert text.startswith(f"RENDERFARM_{name} ")
    assert "it must be " in text
    assert text.endswith(".")
    assert "\n" not in text
    assert "secret" not in text, "passwords and tokens are not printed"


def test_reports_must_come_twice_in_a_lease() -> None:
    with pytest.raises(SettingsError, match="RENDERFARM_REPORT_SECONDS"):
        read_settings({"RENDERFARM_LEASE_SECONDS": "8"})


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[4] / "docs" / "CONFIGURATION.md").read_text()
    for name in Settings.__struct_fields__:
        assert f"`RENDERFARM_{name.upper()}`" in page
