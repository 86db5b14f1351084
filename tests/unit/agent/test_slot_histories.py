"""Random histories of a slot: whatever the order of events, it ends with everything delivered or handed back."""

from hypothesis import given
from hypothesis import strategies as st

from agent.events import (
    Checked,
    Delivered,
    Event,
    Fetched,
    Granted,
    LeaseLost,
    NoWork,
    Reported,
    Rested,
    SentToRest,
    StopRequested,
    Woken,
    WorkDone,
    WorkFailed,
)
from agent.instructions import (
    Ask,
    Check,
    CloseSession,
    Discard,
    Fetch,
    Finish,
    Instruction,
    MixSound,
    Pause,
    Prepare,
    Render,
    Report,
    StopAsking,
    StopWork,
)
from agent.state import MAX_LEASES, Slot
from agent.upkeep import Upkeep
from coordinator.protocol import FrameAnswer
from tests.unit.agent.jobs import grant, job


class Farm:
    """Answers a slot's instructions in any order that a farm could; checks what must always be true."""

    def __init__(self, data: st.DataObject) -> None:
        self.slot = Slot(Upkeep(memory_bytes=100, check_after=1))
        self.data = data
        self.pending: list[Instruction] = []
        self.undelivered: list[tuple[str, int | None]] = []
        self.rendered: set[tuple[str, int]] = set()
        self.leases = 0
        self.reason: str | None = None
        """Why the slot was sent to rest."""

    def step(self, event: Event) -> None:
        instructions = self.slot.handle(event)
        for instruction in instructions:
            if isinstance(instruction, Render):
                assert (instruction.lease_id, instruction.frame) not in self.rendered
                assert instruction.lease_id in self.slot.leases
                assert self.reason is None
                self.rendered.add((instruction.lease_id, instruction.frame))
            if isinstance(instruction, StopWork):
                self.pending = [one for one in self.pending if not isinstance(one, Prepare | MixSound | Render | Check)]
            elif isinstance(instruction, StopAsking):
                self.pending = [one for one in self.pending if not isinstance(one, Ask)]
            elif not isinstance(instruction, Report | Discard | CloseSession | Finish):
                self.pending.append(instruction)
        working = [one for one in self.pending if isinstance(one, Prepare | MixSound | Render | Check)]
        assert len(working) <= 1
        assert sum(isinstance(one, Ask) for one in self.pending) <= 1
        assert len(self.slot.leases) <= MAX_LEASES
        self.check_that_it_asks()
        if StopWork() in instructions:
            self.step(WorkFailed("stopped", "Killed."))

    def check_that_it_asks(self) -> None:
        """A slot without work has said so, unless it rests, stops or still delivers two leases."""
        slot = self.slot
        idle = slot.work is None and not any(lease.has_work for lease in slot.leases.values())
        resting = any(isinstance(one, Pause) for one in self.pending)
        if idle and not resting and not slot.stopping and len(slot.leases) < MAX_LEASES:
            asked = [(one.busy_seconds, one.resting) for one in self.pending if isinstance(one, Ask)]
            assert asked == [(0.0, self.reason)]

    def answer(self) -> None:
        choices = [*range(len(self.pending))]
        index = self.data.draw(st.sampled_from(choices))
        instruction = self.pending.pop(index)
        match instruction:
            case Ask():
                if self.data.draw(st.booleans()):
                    self.leases += 1
                    frames = self.data.draw(st.integers(1, 3))
                    sound = self.data.draw(st.booleans())
                    job_id = self.data.draw(st.sampled_from([1, 2]))
                    self.step(
                        Granted(grant(f"l{self.leases}", *range(1, frames + 1), of=job(job_id=job_id), sound=sound))
                    )
                else:
                    self.step(NoWork())
            case Fetch(lease_id):
                self.step(Fetched(lease_id))
            case Prepare() | MixSound() | Render():
                failure = self.data.draw(
                    st.sampled_from([None, None, None, "crashed", "no_camera", "not_started", "gpu_error"])
                )
                if isinstance(instruction, MixSound) or (isinstance(instruction, Render) and failure is None):
                    frame = instruction.frame if isinstance(instruction, Render) else None
                    self.undelivered.append((instruction.lease_id, frame))
                seconds = self.data.draw(st.sampled_from([0.5, 60.0]))
                memory = self.data.draw(st.sampled_from([10, 90]))
                done = WorkDone(seconds=seconds, memory_bytes=memory)
                self.step(done if failure is None else WorkFailed(failure, "It failed."))
            case Check():
                ending = self.data.draw(st.sampled_from(["same", "other", "crashed"]))
                self.step(WorkFailed("crashed", "It failed.") if ending == "crashed" else Checked(ending == "same"))
            case Pause():
                self.step(Rested())

    def world(self) -> None:
        """Something happens that is no answer."""
        lease_id = self.data.draw(st.sampled_from([*self.slot.leases, "gone"]))
        kind = self.data.draw(st.sampled_from(["deliver", "report", "lose", "rest", "wake"]))
        if kind == "deliver" and self.undelivered:
            last_frame = self.data.draw(st.sampled_from([2, 3]))
            self.step(Delivered(*self.undelivered.pop(0), FrameAnswer(last_frame=last_frame)))
        elif kind == "report" and lease_id in self.slot.leases:
            self.step(Reported(lease_id, self.slot.report(lease_id), self.data.draw(st.sampled_from([2, 3, None]))))
        elif kind == "lose" and self.data.draw(st.integers(0, 4)) == 0:
            self.step(LeaseLost(lease_id))
        elif kind == "rest":
            self.reason = self.data.draw(st.sampled_from(["It is day.", "Someone is there."]))
            self.step(SentToRest(self.reason, at_once=self.data.draw(st.booleans())))
        elif kind == "wake" and self.reason is not None:
            self.reason = None
            self.step(Woken())


@given(st.data())
def test_a_slot_always_ends_with_everything_delivered_or_handed_back(data: st.DataObject) -> None:
    farm = Farm(data)
    farm.step(Rested())
    for _ in range(data.draw(st.integers(0, 40))):
        answering: bool = data.draw(st.booleans())
        if farm.pending and answering:
            farm.answer()
        else:
            farm.world()
    farm.step(StopRequested())
    for _ in range(200):
        if farm.slot.finished:
            break
        if farm.pending:
            farm.answer()
        for delivery in farm.undelivered:
            farm.step(Delivered(*delivery))
        farm.undelivered.clear()
        for lease_id in list(farm.slot.leases):
            farm.step(Reported(lease_id, farm.slot.report(lease_id), None))
    assert farm.slot.finished
    assert farm.slot.leases == {}
