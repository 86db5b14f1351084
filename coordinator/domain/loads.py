"""How the agents' graphics cards did in the last half hour: kept in memory, for the page's lines (pure)."""

import math
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

#: Seconds between two samples, and how many of them are kept of an agent: half an hour.
SAMPLE_SECONDS, KEPT = 20.0, 90
#: Older ones are no part of that half hour, however few there are.
KEPT_SECONDS = SAMPLE_SECONDS * KEPT
#: Of no more cards of an agent, and of no more agents: some 8 kB for an agent with one card.
MAX_CARDS, MAX_AGENTS = 64, 5000

_VALUES = 3


@dataclass(frozen=True, slots=True)
class CardLoad:
    """How a graphics card is; None where nobody can tell."""

    celsius: float | None
    utilization: float | None
    """A share, as is the next."""
    memory: float | None


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one agent, oldest first."""

    at: list[int]
    """Seconds since 1970."""
    cards: list[list[CardLoad]]
    """For each card, as many as there are times."""


class Loads:
    """Samples of agents, by their ids.

    Not safe for use by several threads at once.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._samples: dict[int, deque[tuple[int, array[float]]]] = {}

    def sample(self, now: datetime, machines: Iterable[tuple[int, Sequence[CardLoad]]]) -> None:
        """Take note of how agents are now; those with no cards have nothing that is drawn."""
        at = int(now.timestamp())
        for agent_id, cards in machines:
            self._put(at, agent_id, cards[:MAX_CARDS])
        for agent_id, samples in list(self._samples.items()):
            while samples and samples[0][0] <= at - KEPT_SECONDS:
                samples.popleft()
            if not samples:
                del self._samples[agent_id]

    def since(self, after: float) -> dict[int, History]:
        """Return the samples later than ``after`` (seconds since 1970), of all agents that have some."""
        found = {agent_id: [it for it in samples if it[0] > after] for agent_id, samples in self._samples.items()}
        return {agent_id: _history(samples) for agent_id, samples in found.items() if samples}

    def _put(self, at: int, agent_id: int, cards: Sequence[CardLoad]) -> None:
        samples = self._samples.get(agent_id)
        if samples is None:
            if not cards or len(self._samples) >= MAX_AGENTS:
                return
            samples = self._samples[agent_id] = deque(maxlen=KEPT)
        values = array("f", (_number(value) for it in cards for value in (it.celsius, it.utilization, it.memory)))
        if samples and len(samples[-1][1]) != len(values):
            # Other cards than before: one line cannot show both.
            samples.clear()
        samples.append((at, values))


def _history(samples: Sequence[tuple[int, "array[float]"]]) -> History:
    count = len(samples[0][1]) // _VALUES
    cards = [[_card(values, card * _VALUES) for _, values in samples] for card in range(count)]
    return History([at for at, _ in samples], cards)


def _card(values: "array[float]", start: int) -> CardLoad:
    celsius, utilization, memory = (None if math.isnan(it) else round(it, 3) for it in values[start : start + _VALUES])
    return CardLoad(celsius, utilization, memory)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
