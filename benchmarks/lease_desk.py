"""Requests for work in virtual time, answered as the coordinator's HTTP handler answers them."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.inner_coordinator import Coordinator
from benchmarks.virtual_time import Agenda
from coordinator.db.engine import Notice
from coordinator.domain.board import SlotOffer
from coordinator.domain.timing import Timing
from coordinator.http.work import ASK_AGAIN_SECONDS
from coordinator.protocol import LeaseGrant, LeaseRequest
from coordinator.services import leases


@dataclass(slots=True)
class Asking:
    """A request for work that has not been answered."""

    agent_id: int
    request: LeaseRequest
    answer: Callable[[LeaseGrant | None], None]
    given_up: bool = False
    """Nobody listens for the answer any more."""


@dataclass(slots=True)
class _Waiting:
    asking: Asking
    until: float
    """Seconds since the beginning."""
    offer: SlotOffer | None = None
    """What the slot offered when it looked last."""


class LeaseDesk:
    """Takes requests for work; those for whom there is none wait for some, as :mod:`coordinator.http.work` has them.

    Whenever there may be work, the board is asked about each of them, the one that looked longest ago first, and those
    for whom it has some look in the database.
    """

    def __init__(self, agenda: Agenda, coordinator: Coordinator, timing: Timing) -> None:
        self.granted = 0
        self._agenda = agenda
        self._coordinator = coordinator
        self._timing = timing
        self._waiting: list[_Waiting] = []
        self._asking_soon = False
        coordinator.subscribe(self._on_notice)
        agenda.after(ASK_AGAIN_SECONDS, self._ask_regularly)

    def ask(self, asking: Asking) -> None:
        """Answer at once, or when there is work, or without any when the time to wait is over."""
        seconds = min(asking.request.wait_seconds, self._timing.poll_seconds)
        self._look(_Waiting(asking, until=self._agenda.now + seconds))

    def _on_notice(self, notice: Notice) -> None:
        if notice.kind == "work" and self._waiting and not self._asking_soon:
            self._asking_soon = True
            self._agenda.after(0.0, self._ask_for_all)

    def _ask_regularly(self) -> None:
        self._ask_for_all()
        self._agenda.after(ASK_AGAIN_SECONDS, self._ask_regularly)

    def _ask_for_all(self) -> None:
        self._asking_soon = False
        board, waiting, self._waiting = self._coordinator.board, self._waiting, []
        for one in waiting:
            if one.asking.given_up:
                continue
            if one.offer is not None and board.has_work(one.offer, self._agenda.clock()):
                self._look(one)
            else:
                self._wait(one)

    def _look(self, one: _Waiting) -> None:
        asking = one.asking
        found = self._coordinator.call(leases.lease_or_offer, asking.agent_id, asking.request, self._timing)
        if isinstance(found, LeaseGrant):
            self.granted += 1
            asking.answer(found)
        else:
            one.offer = found
            self._wait(one)

    def _wait(self, one: _Waiting) -> None:
        if self._agenda.now < one.until:
            self._waiting.append(one)
        else:
            one.asking.answer(None)
