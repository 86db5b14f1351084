"""What NVIDIA's cards tell, and what does not stop an agent when they do not."""

import pytest

from agent.gpus import Gpus
from coordinator.protocol import Gpu, GpuLoad
from tests.fakes.nvml import GIBIBYTE, FakeCard, FakeNvml, no_driver


def test_cards_are_told_with_what_they_measure() -> None:
    gpus = Gpus(FakeNvml(FakeCard(), FakeCard(name="NVIDIA H200", bus=0x41, capability=(9, 0))).load)
    assert [(card.place, card.ray_tracing) for card in gpus.cards] == [("0000:01:00", True), ("0000:41:00", False)]
    assert gpus.cards[0].described() == Gpu(
        name="NVIDIA GeForce RTX 4090", memory_bytes=24 * GIBIBYTE, driver="550.163.01"
    )
    assert gpus.loads()[0] == GpuLoad(
        name="NVIDIA GeForce RTX 4090",
        celsius=61.0,
        watts=120.5,
        memory_used_bytes=GIBIBYTE,
        memory_bytes=24 * GIBIBYTE,
        utilization=0.87,
    )
    assert gpus.trouble is None


def test_driver_that_is_not_loaded_means_no_cards() -> None:
    gpus = Gpus(no_driver)
    assert (gpus.cards, gpus.loads()) == ((), [])
    assert gpus.trouble == "Driver Not Loaded"


def test_this_machine_is_looked_at_without_a_word_of_error() -> None:
    gpus = Gpus()  # the real library; on a machine without a driver it says so
    assert bool(gpus.cards) == (gpus.trouble is None and not gpus.lost)
    assert gpus.trouble is None or "NVML" in gpus.trouble or "Driver" in gpus.trouble


def test_card_that_is_lost_at_the_start_costs_no_other() -> None:
    gpus = Gpus(FakeNvml(FakeCard(lost=True), FakeCard(bus=2)).load)
    assert [card.index for card in gpus.cards] == [1]
    assert gpus.lost == ["Graphics card 0 does not answer (GPU is lost)."]


def test_card_that_is_lost_later_tells_nothing_more() -> None:
    lost, other = FakeCard(), FakeCard(bus=2)
    gpus = Gpus(FakeNvml(lost, other).load)
    lost.lost = True
    first, second = gpus.loads()
    assert (first.celsius, first.watts, first.memory_used_bytes, first.utilization) == (None, None, None, None)
    assert second.celsius == 61.0
    assert gpus.memory_used(gpus.cards[0]) is None
    assert gpus.memory_by_process(gpus.cards[0]) == {}


def test_what_a_card_does_not_measure_is_none() -> None:
    silent = FakeCard(name="GB10", memory=None, milliwatts=None, celsius=None, utilization=None, capability=None)
    gpus = Gpus(FakeNvml(silent).load)
    assert gpus.loads() == [GpuLoad(name="GB10")]
    assert gpus.cards[0].memory_bytes is None


@pytest.mark.parametrize(
    ("name", "capability", "traces"),
    [
        ("NVIDIA GeForce GTX 1660 Ti", (7, 5), False),
        ("Tesla T4", (7, 5), True),
        ("NVIDIA A100-SXM4-80GB", (8, 0), False),
        ("NVIDIA RTX A6000", None, True),
        ("NVIDIA GeForce GTX 1080", None, False),
    ],
)
def test_cards_that_trace_rays(name: str, capability: tuple[int, int] | None, traces: bool) -> None:
    (card,) = Gpus(FakeNvml(FakeCard(name=name, capability=capability)).load).cards
    assert card.ray_tracing == traces


def test_memory_by_process() -> None:
    gpus = Gpus(FakeNvml(FakeCard(processes={10: GIBIBYTE, 11: None})).load)
    assert gpus.memory_by_process(gpus.cards[0]) == {10: GIBIBYTE, 11: None}
