"""Telling a Blender that hangs from one that works for long (pure).

A frame may sit for very long in one step of its preparation, with every processor busy; one that hangs mostly does
nothing at all.  So there are two measures: a short one for a Blender that neither says nor does anything, and a long
one, drawn from what the frame is expected to take, for one that is busy and gets nowhere.
"""

from dataclasses import dataclass

from agent.blender.vitals import Vitals
from coordinator.protocol import Device

#: The share of a processor that counts as doing something, beyond what is taken in the system meanwhile: a thread that
#: goes round for nothing takes more there, and what computes takes next to none.
WORKS = 0.1

#: It is measured whenever so much processor time (seconds) was used: systems count in hundredths.
MEASURED = 0.1


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a Blender may go on without a sign of life (seconds)."""

    look: float = 5.0
    """So often it is looked at."""
    idle: float = 180.0
    """Without a word, and without work, reading or writing: the least that is allowed for; and half of what the frame
    is expected to take."""
    busy: float = 3600.0
    """At work without a word: the least that is allowed for."""
    times: float = 10.0
    """At work without a word, as often as what the frame is expected to take."""


#: A Blender whose card is at work sleeps until it is done, and nothing to be seen from outside tells it from one that
#: hangs; before the first frame the driver makes its kernels, for minutes.
GPU_IDLE = 900.0


def patience_for(device: Device) -> Patience:
    """Return how long a Blender may go on without a sign of life that renders with devices of this kind."""
    return Patience() if device is Device.CPU else Patience(idle=GPU_IDLE)


class Watchdog:
    """Watches one command."""

    def __init__(self, patience: Patience, expected_seconds: float | None, now: float) -> None:
        """Begin to watch at ``now``, a time in seconds like all that follow."""
        self._patience = patience
        self._expected = expected_seconds or 0.0
        self._idle = max(patience.idle, self._expected / 2)
        self._began = now
        self._heard = now
        self._worked = now
        self._measured: tuple[float, float, float] | None = None
        """When, and how much processor time had been used then, outside of the system and in it."""
        self._transferred = 0

    def heard(self, now: float, remaining_seconds: float | None) -> None:
        """Take note of a word from Blender, with its own estimate of what is left of the frame."""
        self._heard = self._worked = now
        if remaining_seconds is not None:
            self._expected = max(self._expected, now - self._began + remaining_seconds)

    def look(self, now: float, vitals: Vitals) -> str | None:
        """Take note of what Blender does; return why it is taken for hung, a clause, or None while it is not."""
        if (
            self._works(now, vitals.user_seconds, vitals.system_seconds)
            or vitals.io_bytes != self._transferred
            or vitals.waits_for_disk
        ):
            self._worked = now
        self._transferred = vitals.io_bytes
        if now - self._worked >= self._idle:
            return f"it has done nothing, read nothing and written nothing for {now - self._worked:.0f} s"
        if now - self._heard >= max(self._patience.busy, self._patience.times * self._expected):
            return f"it has been busy for {now - self._heard:.0f} s without getting any further"
        return None

    def _works(self, now: float, user_seconds: float, system_seconds: float) -> bool:
        if self._measured is None:
            self._measured = now, user_seconds, system_seconds
            return True
        since, user_before, system_before = self._measured
        user, system = user_seconds - user_before, system_seconds - system_before
        # A process that ends takes its share out of the sums.
        ended = min(user, system) < 0
        if max(abs(user), abs(system)) < MEASURED:
            return False
        self._measured = now, user_seconds, system_seconds
        return ended or user - system >= WORKS * (now - since)
