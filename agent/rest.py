"""When an agent rests, as a good guest on a machine that others work with."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.card_use import CardUse, sees_processes
from agent.gpus import Card, Gpus
from agent.hours import Hours
from agent.idleness import Source, people_sources

log = logging.getLogger(__name__)

#: Seconds between two looks: somebody who sits down waits no longer than that for the agent to notice.
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Manners:
    """What a person asked of the agent."""

    hours: Hours | None = None
    """It works in these only; None: around the clock."""
    idle_seconds: float | None = None
    """It works when nobody has used the machine for so long; None: whoever uses it."""
    at_once: bool = False
    """To rest it drops the frame being rendered; else it finishes that."""


def utc_now() -> datetime:
    """Return what time it is."""
    return datetime.now(UTC)


class RestWatch:
    """Looks whether the agent should rest just now."""

    def __init__(
        self,
        manners: Manners,
        people: Sequence[Source],
        cards: Source | None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Watch for what a person asked for.

        Args:
            manners: what that is.
            people: what tells whether somebody is at the machine.
            cards: what tells whether other programs use the cards it renders with.
            now: what time it is.
        """
        self._manners = manners
        self._people = people
        self._cards = cards
        self._now = now
        self._reason: str | None = None

    async def look(self) -> str | None:
        """Return why the agent should rest, a sentence; None: it may work."""
        reason = await asyncio.to_thread(self._look)
        if reason != self._reason:
            log.info("%s", f"Resting. {reason}" if reason else "Working again.")
            self._reason = reason
        return reason

    async def run(self, tell: Callable[[str | None], None]) -> None:
        """Look again and again, until cancelled, and tell what was found when it is something else than before."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = self._reason
            if (reason := await self.look()) != before:
                tell(reason)

    def _look(self) -> str | None:
        hours, patience, now = self._manners.hours, self._manners.idle_seconds, self._now()
        if hours is not None and not hours.are_open(now):
            return f"Outside its hours until {hours.next_change_said(now)}."
        if patience is None:
            return None
        if any(_is_used(source, patience) for source in self._people):
            return "Someone is using this machine."
        if self._cards is not None and _is_used(self._cards, patience):
            return "Another program is using the graphics card."
        return None


def watch_machine(manners: Manners, gpus: Gpus, cards: Sequence[Card], environment: Mapping[str, str]) -> RestWatch:
    """Return a watch on this machine; may block for some seconds.

    Args:
        manners: what a person asked for.
        gpus: the machine's cards.
        cards: those that the agent renders with.
        environment: of the process.
    """
    if manners.idle_seconds is None:
        return RestWatch(manners, [], None)
    people = people_sources(environment)
    card_use = CardUse(gpus, cards) if cards and sees_processes() else None
    if cards and card_use is None:
        log.warning("Whether other programs use the graphics cards cannot be told in a container; people are noticed.")
    log.info(
        "Working when nobody has used this machine for %g minutes, as told by: %s.",
        manners.idle_seconds / 60,
        ", ".join(source.name for source in (*people, *([card_use] if card_use else []))),
    )
    return RestWatch(manners, people, card_use)


def _is_used(source: Source, patience: float) -> bool:
    idle = source.idle_seconds()
    return idle is not None and idle < patience
