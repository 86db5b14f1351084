"""How long things stay that nobody needs any more."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """How long what is in the store stays.  Durations in seconds."""

    grace_seconds: float = 72 * 3600.0
    """An upload waits so long for its job; a weekend."""
    keep_seconds: float | None = None
    """The files of jobs that have ended stay so long; None: until a person removes them."""

    def unused(self, now: datetime) -> datetime:
        """Return the time before which what nobody has used was uploaded or announced too long ago."""
        return now - timedelta(seconds=self.grace_seconds)

    def used(self, now: datetime) -> datetime:
        """Return the time before which a pack was announced that has led to a job: others may be announcing it, too."""
        return now - timedelta(seconds=min(3600.0, self.grace_seconds))

    @property
    def settle_seconds(self) -> float:
        """Between the decision to remove a blob and its end.

        A loss of power may take back the last half minute of the database, and not what was removed from the disk.
        """
        return min(60.0, self.grace_seconds)

    def settled(self, now: datetime) -> datetime:
        """Return the time before which it was decided long enough ago that a blob is to go."""
        return now - timedelta(seconds=self.settle_seconds)
