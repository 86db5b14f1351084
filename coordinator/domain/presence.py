"""How an agent is, in one word and one sentence for people."""

import enum

from coordinator.domain.model import Agent, AgentState


class Presence(enum.StrEnum):
    """What an agent is about, the first that is true."""

    LEFT = "left"
    OFFLINE = "offline"
    SET_ASIDE = "set_aside"
    DRAINING = "draining"
    """It ends what it renders, and gets nothing more."""
    DRAINED = "drained"
    RESTING = "resting"
    WORKING = "working"
    IDLE = "idle"


def presence_of(agent: Agent, *, busy: bool) -> Presence:
    """Return how an agent is; ``busy`` tells whether it holds leases."""
    if agent.state == AgentState.LEFT:
        return Presence.LEFT
    if agent.state == AgentState.OFFLINE:
        return Presence.OFFLINE
    if agent.set_aside is not None:
        return Presence.SET_ASIDE
    if agent.drained:
        return Presence.DRAINING if busy else Presence.DRAINED
    if agent.resting is not None:
        return Presence.RESTING
    return Presence.WORKING if busy else Presence.IDLE


def explain(agent: Agent, presence: Presence) -> str:
    """Return what that means, a sentence."""
    own = {Presence.SET_ASIDE: agent.set_aside, Presence.RESTING: agent.resting}.get(presence)
    return own or _SENTENCES[presence]


_SENTENCES = {
    Presence.LEFT: "Its agent was stopped or sent away; start it again, and it is back.",
    Presence.OFFLINE: "It has not been heard of for a while: it may be switched off, asleep or without a network."
    " What it was rendering went to other machines.",
    Presence.SET_ASIDE: "It was set aside.",
    Presence.DRAINING: "It finishes the frames that it renders and begins no others.",
    Presence.DRAINED: "It has finished its frames and gets no others until it is resumed.",
    Presence.RESTING: "It takes no work just now.",
    Presence.WORKING: "It renders for the farm.",
    Presence.IDLE: "It is ready and waits for frames.",
}
