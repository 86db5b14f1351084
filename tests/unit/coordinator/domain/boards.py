"""Boards, offers and users for tests."""

from dataclasses import replace

from coordinator.domain.board import Board, SlotOffer
from coordinator.domain.matching import Capability
from coordinator.domain.model import Job, User
from tests.unit.coordinator.domain.records import GIB, an_agent

CPU = Capability(blender=405, ram_bytes=16 * GIB)
GPU = replace(CPU, device="OPTIX")
OFFER = SlotOffer(agent_id=1, slot=0, capability=CPU)
GPU_ONLY = '{"device": "GPU"}'


def a_board(*jobs: Job, users: tuple[User, ...] = ()) -> Board:
    board = Board()
    board.load(jobs, users, [an_agent()])
    return board


def a_user(name: str, vtime: float = 0.0, max_slots: int | None = None) -> User:
    return User(name=name, vtime=vtime, max_slots=max_slots, scripts=False, quota_bytes=None)
