import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.schedule_bounds import Demand, Presence, ShareMeter, least_makespan, max_min_shares

ALWAYS = (0.0, math.inf)


def ends(demands: list[Demand], slots: list[Presence], load: float = 10.0) -> float:
    return round(least_makespan(demands, slots, load), 3)


def test_slots_share_the_work_by_their_speed_once_they_have_loaded() -> None:
    slots = [Presence(1.0, [ALWAYS]), Presence(3.0, [ALWAYS])]
    assert ends([Demand(0.0, 100.0)], slots) == 10 + 100 / 4


def test_what_comes_late_is_rendered_late() -> None:
    assert ends([Demand(0.0, 5.0), Demand(100.0, 8.0)], [Presence(2.0, [ALWAYS])]) == 100 + 10 + 8 / 2


def test_what_comes_while_the_slots_are_at_work_waits_for_them() -> None:
    # The last job alone could end at 20 + 10 + 5.
    assert ends([Demand(0.0, 100.0), Demand(20.0, 5.0)], [Presence(1.0, [ALWAYS])]) == 10 + 105


def test_a_slot_that_comes_back_loads_again() -> None:
    assert ends([Demand(0.0, 30.0)], [Presence(1.0, [(0.0, 25.0), (40.0, math.inf)])]) == 40 + 10 + (30 - 15)


def test_slots_that_leave_too_early_never_do_it() -> None:
    with pytest.raises(ValueError, match="before the work is done"):
        least_makespan([Demand(0.0, 100.0)], [Presence(1.0, [(0.0, 50.0)])], 10.0)


def test_who_wants_little_gets_it_and_the_others_share_the_rest() -> None:
    assert max_min_shares({"much": 100, "little": 1, "some": 4}, 10) == {"little": 1, "some": 4, "much": 5}


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 50), min_size=1), st.integers(1, 100))
def test_no_slot_is_left_over_and_nobody_could_get_more_without_a_poorer_one_losing(
    demands: dict[str, float], capacity: float
) -> None:
    shares = max_min_shares(demands, capacity)
    assert sum(shares.values()) == pytest.approx(min(capacity, sum(demands.values())))
    most = max(shares.values())
    for user, share in shares.items():
        assert share <= demands[user]
        assert share == demands[user] or share == pytest.approx(most)


def meter() -> ShareMeter:
    """Two slots, for two users who want both."""
    shares = ShareMeter(slots=2, settled=50.0)
    shares.want(0.0, "ana", 9)
    shares.want(0.0, "ben", 9)
    return shares


def test_equal_shares_are_no_error() -> None:
    shares = meter()
    for user in ("ana", "ben"):
        shares.use(0.0, user, 1)
    shares.check(100.0, ["ana", "ben"])
    assert shares.errors == {"ana": [0.0], "ben": [0.0]}


def test_errors_are_relative_to_what_was_due() -> None:
    shares = meter()
    shares.use(0.0, "ana", 2)
    shares.use(50.0, "ana", -1)
    shares.use(50.0, "ben", 1)
    shares.check(100.0, ["ana", "ben"])
    assert shares.errors == {"ana": [0.5], "ben": [0.5]}


def test_what_one_cannot_use_is_due_to_the_other() -> None:
    shares = meter()
    shares.want(100.0, "ana", -9)
    shares.check(200.0, ["ben"])
    assert shares.errors == {"ben": [1.0]}
    shares.use(200.0, "ben", 2)
    shares.check(500.0, ["ben"])
    # 100 s of one slot and 400 s of both were due.
    assert shares.errors["ben"][1] == pytest.approx(1 - 600 / 900)


def test_a_share_is_looked_at_once_it_is_settled() -> None:
    shares = meter()
    shares.check(49.0, ["ana", "ben"])
    assert shares.errors == {}
