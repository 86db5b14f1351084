"""When a Blender is taken for hung."""

import pytest

from agent.blender.vitals import Vitals
from agent.blender.watchdog import GPU_IDLE, Patience, Watchdog, patience_for
from coordinator.protocol import Device

PATIENCE = Patience(look=5, idle=120, busy=3600, times=10)


def vitals(cpu: float = 0.0, io: int = 0, system: float = 0.0, *, waits_for_disk: bool = False) -> Vitals:
    return Vitals(cpu, system, io, 0, waits_for_disk)


def hung_at(watchdog: Watchdog, upto: int, **per_second: float) -> int | None:
    """Return at which second it is taken for hung while these grow; None if it is not until ``upto``."""
    for now in range(0, upto, 5):
        cpu, io, system = (now * per_second.get(name, 0.0) for name in ("cpu", "io", "system"))
        if watchdog.look(now, vitals(cpu, int(io), system)):
            return now
    return None


def test_one_that_does_nothing_is_taken_for_hung_soon() -> None:
    assert hung_at(Watchdog(PATIENCE, None, 0), 10_000) == 120
    assert hung_at(Watchdog(PATIENCE, 100, 0), 10_000) == 120
    assert hung_at(Watchdog(PATIENCE, 1000, 0), 10_000) == 500


@pytest.mark.parametrize("share", [0.0005, 0.03, 0.09])
def test_what_an_idle_blender_takes_of_a_processor_is_no_work(share: float) -> None:
    assert hung_at(Watchdog(PATIENCE, None, 0), 10_000, cpu=share) == 120


@pytest.mark.parametrize(("cpu", "system"), [(0.03, 0.23), (0.37, 0.6), (0.02, 0.5)])
def test_a_thread_that_goes_round_in_the_system_is_no_work(cpu: float, system: float) -> None:
    assert hung_at(Watchdog(PATIENCE, None, 0), 10_000, cpu=cpu, system=system) == 120
    assert hung_at(Watchdog(PATIENCE, None, 0), 10_000, cpu=cpu + 1, system=system) == 3600


@pytest.mark.parametrize("sign", [{"cpu": 0.11}, {"cpu": 8.0}, {"io": 1.0}])
def test_one_that_works_without_a_word_has_long(sign: dict[str, float]) -> None:
    assert hung_at(Watchdog(PATIENCE, None, 0), 20_000, **sign) == 3600
    assert hung_at(Watchdog(PATIENCE, 1000, 0), 20_000, **sign) == 10_000


def test_a_word_is_a_sign_of_life_and_blenders_own_estimate_counts() -> None:
    watchdog = Watchdog(PATIENCE, None, 0)
    watchdog.heard(100, None)
    assert hung_at(watchdog, 20_000, cpu=1) == 3700
    watchdog = Watchdog(PATIENCE, 1, 0)
    watchdog.heard(100, 900)
    assert hung_at(watchdog, 20_000, cpu=1) == 10_100


def test_one_that_waits_for_the_disk_has_long_too() -> None:
    watchdog = Watchdog(PATIENCE, None, 0)
    taken = [watchdog.look(now, vitals(waits_for_disk=True)) for now in range(0, 3600, 5)]
    assert set(taken) == {None}
    assert "without getting any further" in (watchdog.look(3600, vitals(waits_for_disk=True)) or "")


def test_a_helper_that_ends_shows_that_something_happens() -> None:
    watchdog = Watchdog(PATIENCE, None, 0)
    assert watchdog.look(0, vitals(cpu=50)) is None
    assert watchdog.look(119, vitals(cpu=20)) is None
    assert watchdog.look(200, vitals(cpu=20)) is None
    assert "done nothing" in (watchdog.look(239, vitals(cpu=20)) or "")


def test_a_blender_that_waits_for_its_card_is_given_longer() -> None:
    watch = Watchdog(patience_for(Device.CUDA), None, 0.0)
    still = vitals(1.0)
    assert [watch.look(now, still) for now in (0.0, 181.0, GPU_IDLE - 1)] == [None] * 3
    assert watch.look(GPU_IDLE + 1, still) is not None
    watch = Watchdog(patience_for(Device.CPU), None, 0.0)
    watch.look(0.0, still)
    assert watch.look(181.0, still) is not None
