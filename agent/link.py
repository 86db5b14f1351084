"""The agent's standing with its coordinator: registered, and calls repeated until they are answered."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from agent.backoff import Repeater, Sleep
from agent.client import CoordinatorClient, RefusedError, RegisterAgainError, StopAgentError
from agent.identity import AgentFolder
from coordinator.protocol import RegisterRequest, RegisterResponse

T = TypeVar("T")

log = logging.getLogger(__name__)


class Link:
    """Makes calls and sees to what they have in common: waiting for the coordinator, and registering again."""

    def __init__(
        self,
        client: CoordinatorClient,
        repeater: Repeater,
        folder: AgentFolder,
        request: RegisterRequest,
        join_token: str,
        names: Sequence[str],
    ) -> None:
        """Speak for an agent.

        Args:
            client: makes the calls.
            repeater: waits for the coordinator.
            folder: keeps the agent's own token.
            request: introduces the agent.
            join_token: a join token or a join code; empty where there is none.
            names: those that it may have, the first that no other agent has.
        """
        self.client = client
        self._repeater = repeater
        self._folder = folder
        self._request = request
        self._names = names
        self._join_token = join_token
        self._registrations = 0
        self._registering = asyncio.Lock()

    @property
    def name(self) -> str:
        """The agent's name; until it is registered, the one that it would like."""
        return self._request.name

    async def call(self, call: Callable[[], Awaitable[T]], sleep: Sleep | None = None) -> T:
        """Return what a call of the client returns, however long the coordinator is away.

        Args:
            call: may be made any number of times.
            sleep: waits between two attempts, for so many seconds.

        Raises:
            DropLeaseError: the lease it is about has ended.
            RefusedError: its content is refused.
            StopAgentError: the agent is not wanted any more.
        """
        while True:
            registrations = self._registrations
            try:
                return await self._repeater.until_answered(call, sleep)
            except RegisterAgainError:
                async with self._registering:
                    # Several calls may be told so at once; the first one registers for all.
                    if registrations == self._registrations:
                        log.info("The coordinator has forgotten this agent; registering again.")
                        await self.register()

    async def register(self) -> RegisterResponse:
        """Introduce the agent, with the token it has, else with the join token.

        Raises:
            StopAgentError: the coordinator does not take it.
        """
        identity = await asyncio.to_thread(self._folder.load)
        if identity is not None:
            own = identity.token
            try:
                answer = await self._introduce(lambda: self.client.register(self._request, own), "its own token")
            except StopAgentError:
                if not self._join_token:
                    raise
                log.info("The coordinator no longer takes this agent's token; joining anew.")
            else:
                return await self._registered(answer, own)
        if not self._join_token:
            raise StopAgentError(
                "This agent has not joined the farm yet: give it a code that “Add a machine” on the farm's page shows, "
                "with --join-code, or a join token with --join-token or RENDERFARM_JOIN_TOKEN."
            )
        return await self._join()

    async def _join(self) -> RegisterResponse:
        """Register with the join token or code.

        A code is good once, and the answer may be lost: who has joined without hearing of it registers with the token
        that it has asked for.
        """
        own = f"rf_agent_{secrets.token_urlsafe(32)}"
        tried = False

        async def join() -> RegisterResponse:
            nonlocal tried
            if tried:
                with contextlib.suppress(StopAgentError):
                    return await self.client.register(self._request, own)
            tried = True
            return await self.client.register(msgspec.structs.replace(self._request, token=own), self._join_token)

        which = "the join token" if self._join_token.startswith("rf_") else "the join code"
        answer = await self._introduce(join, which)
        return await self._registered(answer, answer.token or own)

    async def _introduce(self, register: Callable[[], Awaitable[RegisterResponse]], how: str) -> RegisterResponse:
        """Register under the first of the agent's names that no other agent has."""
        names = list(self._names)
        while True:
            self._request = msgspec.structs.replace(self._request, name=names.pop(0))
            try:
                return await self._repeater.until_answered(register)
            except (StopAgentError, RefusedError, RegisterAgainError) as error:
                if isinstance(error, RefusedError) and "name" in error.fields and names:
                    log.info("Another agent is called %s; trying %s.", self.name, names[0])
                    continue
                raise StopAgentError(f"The coordinator does not take this agent with {how}: {error}") from error

    async def _registered(self, answer: RegisterResponse, token: str) -> RegisterResponse:
        await asyncio.to_thread(self._folder.save, answer.agent_id, token, self.name)
        self.client.token = token
        # It keeps its name for as long as it can.
        self._names = [self.name, *(name for name in self._names if name != self.name)]
        self._registrations += 1
        return answer
