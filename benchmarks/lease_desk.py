"""Requests for work in virtual time, answered as the coordinator's HTTP handler answers them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.virtual_time import Agenda
from coordinator.db.engine import Database, Notice
from coordinator.domain.timing import Timing
from coordinator.protocol import LeaseGrant, LeaseRequest
from coordinator.services import leases

#: Those who wait look again this often (seconds) though nobody told them to: frames become late by time alone.
RECHECK_SECONDS = 1.0


@dataclass(eq=False)
class Asking:
    """A request for work that has not been answered."""

    agent_id: int
    request: LeaseRequest
    answer: Callable[[LeaseGrant | None], None]
    given_up: bool = False
    """Nobody listens for the answer any more."""


class LeaseDesk:
    """Takes requests for work; those for whom there is none wait for some."""

    def __init__(self, agenda: Agenda, database: Database, timing: Timing) -> None:
        self.granted = 0
        self._agenda = agenda
        self._database = database
        self._timing = timing
        self._waiting: dict[Asking, float] = {}
        """Until when."""
        self._look_due = False
        database.subscribe(self._on_notice)
        agenda.after(RECHECK_SECONDS, self._look_regularly)

    async def ask(self, asking: Asking) -> None:
        """Answer at once, or when there is work, or without any when the time to wait is over."""
        if not await self._try(asking):
            self._waiting[asking] = self._agenda.now + min(asking.request.wait_seconds, self._timing.poll_seconds)

    def _on_notice(self, notice: Notice) -> None:
        if notice.kind == "work" and self._waiting and not self._look_due:
            self._look_due = True
            self._agenda.after(0.0, self._look)

    async def _look_regularly(self) -> None:
        await self._look()
        self._agenda.after(RECHECK_SECONDS, self._look_regularly)

    async def _look(self) -> None:
        self._look_due = False
        for asking, until in list(self._waiting.items()):
            if asking.given_up or await self._try(asking):
                del self._waiting[asking]
            elif self._agenda.now >= until:
                del self._waiting[asking]
                asking.answer(None)

    async def _try(self, asking: Asking) -> bool:
        grant = await self._database.write(leases.lease, asking.agent_id, asking.request, self._timing)
        if grant is not None:
            self.granted += 1
            asking.answer(grant)
        return grant is not None
