"""Tasks that end together."""

import asyncio
from collections.abc import Coroutine


class Tasks(asyncio.TaskGroup):
    """A task group whose tasks can be ended without an error: most of an agent's run for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run a coroutine; an error that it raises ends the whole group."""
        task = self.create_task(coroutine, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def cancel(self) -> None:
        """End all tasks."""
        for task in self._running:
            task.cancel()
