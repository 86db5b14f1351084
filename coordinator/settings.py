"""The coordinator's settings: RENDERFARM_* variables, read once at start and checked.

docs/CONFIGURATION.md describes them for people.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

_PREFIX = "RENDERFARM_"

# Each description ends the sentence "RENDERFARM_X is 'y'; it must be …".
Text = Annotated[str, Meta(min_length=1, description="a text")]
Port = Annotated[int, Meta(ge=0, le=65_535, description="a port number from 0 to 65535")]
Seconds = Annotated[float, Meta(gt=0, le=86_400, description="a number of seconds, more than 0")]
Days = Annotated[float, Meta(gt=0, le=36_500, description="a number of days, more than 0")]
Hours = Annotated[float, Meta(gt=0, le=8760, description="a number of hours, more than 0")]
Bytes = Annotated[int, Meta(ge=0, description="a whole number of bytes")]
Urls = Annotated[
    str,
    Meta(pattern=r"^https?://\S+(,\s*https?://\S+)*$", description="addresses with https:// or http://, with commas"),
]
Secret = Annotated[str, Meta(min_length=16, max_length=500, description="a text of at least 16 characters")]
MailSecurity = Annotated[Literal["starttls", "tls", "none"], Meta(description="starttls, tls or none")]
Switch = Annotated[bool, Meta(description="true or false")]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], Meta(description="debug, info, warning or error")]
PublicUrl = Annotated[
    str, Meta(pattern=r"^https?://[^/\s]+/?$", description="an address such as https://farm.example.com")
]
DatabaseUrl = Annotated[
    str,
    Meta(
        pattern=r"^(sqlite:///|postgres(ql)?://)", description="an address that starts with postgresql:// or sqlite:///"
    ),
]
AdminToken = Annotated[
    str,
    Meta(pattern=r"^rf_admin_[A-Za-z0-9_-]{16,200}$", description="rf_admin_ and at least 16 letters or digits"),
]
JoinToken = Annotated[
    str,
    Meta(pattern=r"^rf_join_[A-Za-z0-9_-]{16,200}$", description="rf_join_ and at least 16 letters or digits"),
]


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the text is a sentence that names it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set.  A field's variable is its name in capitals after ``RENDERFARM_``."""

    host: Text = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` for every network."""
    port: Port = 8420
    """0 takes a free one."""
    public_url: PublicUrl | None = None
    """How browsers reach the coordinator when a proxy stands before it; with https, cookies are marked Secure."""
    announce: Switch = True
    """Make itself known on the local network, unless it listens on the loopback only."""
    data_dir: Text = "~/.local/share/renderfarm/coordinator"
    """Blobs, and the SQLite database unless ``database_url`` says otherwise."""
    database_url: DatabaseUrl | None = None
    admin_token: AdminToken | None = None
    """A preset admin token; otherwise the first start makes one."""
    join_token: JoinToken | None = None
    """A preset join token; otherwise the first start makes one."""
    ffmpeg: Text | None = None
    """The ffmpeg to use; otherwise the system's, else the one of the imageio-ffmpeg package."""
    log_level: LogLevel = "info"
    lease_seconds: Seconds = 30.0
    """A lease lives this long past its last report."""
    report_seconds: Seconds = 5.0
    """Agents report at least this often."""
    poll_seconds: Seconds = 25.0
    """How long a request for work waits when there is none."""
    offline_seconds: Seconds = 60.0
    """An agent that was not heard of for this long is shown as offline."""
    max_frame_bytes: Bytes = 2 * 1024**3
    """A larger frame or sound is refused."""
    require_sandbox: Switch = False
    """Agents whose Blender runs without a sandbox are refused."""
    reserve_bytes: Bytes = 256 * 1024**2
    """Uploads stop when less than this would be left free on the disk."""
    keep_days: Days | None = None
    """The files of jobs are removed so long after they have ended; otherwise they stay until a person removes them."""
    grace_hours: Hours = 72.0
    """What was uploaded waits so long for the job that it is for."""
    webhook_urls: Urls | None = None
    """Told of every job's end and of agents that are set aside."""
    webhook_secret: Secret | None = None
    """Signs what is posted to them."""
    smtp_host: Text | None = None
    """The server that takes e-mail; without it none is sent."""
    smtp_port: Port = 587
    smtp_security: MailSecurity = "starttls"
    smtp_user: Text | None = None
    smtp_password: Text | None = None
    mail_from: Text = "renderfarm@localhost"
    """Whom e-mail comes from."""

    @property
    def webhooks(self) -> list[str]:
        """The addresses of webhooks."""
        return [url.strip() for url in (self.webhook_urls or "").split(",") if url.strip()]

    @property
    def folder(self) -> Path:
        """The data folder, ``~`` resolved."""
        return Path(self.data_dir).expanduser()

    @property
    def database(self) -> str:
        """The database's address; SQLite in the data folder by default."""
        return self.database_url or f"sqlite:///{self.folder / 'renderfarm.db'}"


def read_settings(environment: Mapping[str, str], **overrides: str | int | None) -> Settings:
    """Return the settings of ``environment``; ``overrides`` (from the command line) win unless they are None.

    An empty variable counts as not set, as Compose files and systemd units leave them.

    Raises:
        SettingsError: naming the variable, its value and what it must be.
    """
    values: dict[str, object] = {}
    for name, kind in get_type_hints(Settings, include_extras=True).items():
        override = overrides.get(name)
        text = environment.get(_PREFIX + name.upper(), "") if override is None else str(override)
        if not text.strip():
            continue
        try:
            values[name] = msgspec.convert(text.strip(), kind, strict=False)
        except msgspec.ValidationError:
            # Tokens and addresses with passwords do not belong on a screen.
            shown = (
                "cannot be used as it is"
                if name.endswith(("token", "url", "urls", "secret", "password"))
                else f"is {text!r}"
            )
            raise SettingsError(f"{_PREFIX}{name.upper()} {shown}; it must be {_description(kind)}.") from None
    settings = Settings(**values)  # type: ignore[arg-type] # each value was converted to its field's own type
    if settings.report_seconds * 2 > settings.lease_seconds:
        raise SettingsError(
            f"{_PREFIX}REPORT_SECONDS ({settings.report_seconds:g}) must be at most half of {_PREFIX}LEASE_SECONDS "
            f"({settings.lease_seconds:g}), or a single late report would cost an agent its chunk."
        )
    return settings


def _description(kind: object) -> str:
    for part in (kind, *getattr(kind, "__args__", ())):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.description:
                return meta.description
    return "something else"
