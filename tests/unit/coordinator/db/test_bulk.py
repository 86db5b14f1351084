"""Many rows in one statement: what it says, what it binds, and that nothing changes places that must not."""

from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.db.bulk import Bulk, bulk_of
from coordinator.db.pipeline import _Statement, _together

KINDS = {
    "add a": Bulk("add as", [False], adds=True),
    "change b": Bulk("change bs", [False], adds=False),
    "change c": Bulk("change cs", [False], adds=False),
    "read": None,
}
statements = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 4)), max_size=40)


@pytest.mark.parametrize(
    ("text", "many"),
    [
        (
            "INSERT INTO t (a, b) VALUES (%s::BIGINT, %s)",
            "INSERT INTO t (a, b) SELECT v.p1::BIGINT, v.p2 FROM unnest(%s::BIGINT[], %s::TEXT[]) AS v(p1, p2)",
        ),
        (
            "UPDATE t SET a=%s\nWHERE t.b IS DISTINCT FROM %s",
            "UPDATE t SET a=v.p1 FROM unnest(%s::BIGINT[], %s::TEXT[]) AS v(p1, p2) WHERE t.b IS DISTINCT FROM v.p2",
        ),
        (
            "DELETE FROM t WHERE t.a = %s AND t.b = %s",
            "DELETE FROM t USING unnest(%s::BIGINT[], %s::TEXT[]) AS v(p1, p2) WHERE t.a = v.p1 AND t.b = v.p2",
        ),
        ("SELECT t.a FROM t WHERE t.a = %s AND t.b = %s", None),
        ("UPDATE t SET a=%s WHERE t.b = %s RETURNING t.a", None),
    ],
)
def test_a_statement_for_one_row_becomes_one_for_many(text: str, many: str | None) -> None:
    bulk = bulk_of(text, ["BIGINT", "VARCHAR(16)"])
    assert (None if bulk is None else bulk.text) == many


def test_values_are_bound_as_arrays_of_their_columns() -> None:
    bulk = bulk_of("DELETE FROM t WHERE t.a = %s AND t.b = %s", ["BIGINT", "VARCHAR(16)"])
    assert bulk is not None
    rows = [(b"1", b'a "quoted\\ {word}, and more'), (None, None), (b"-3", b"NULL"), (b"4", b"")]
    assert bulk.arrays(rows) == [b"{1,NULL,-3,4}", b'{"a \\"quoted\\\\ {word}, and more",NULL,"NULL",""}']


@given(statements)
def test_rows_that_are_written_together_keep_their_order_where_it_counts(given_ones: list[tuple[str, int]]) -> None:
    waiting = [
        _Statement(text, [b"%d" % number], guarded=True, bulk=KINDS[text], job_id=job if KINDS[text] else None)
        for number, (text, job) in enumerate(given_ones)
    ]
    sent: list[list[int]] = []
    for statement in _together(waiting):
        assert len(statement.values) == 1
        written = statement.values[0]
        assert written is not None
        sent.append([int(number) for number in written.strip(b"{}").split(b",")])
        assert statement.rows == len(sent[-1])
    order = [number for numbers in sent for number in numbers]
    assert sorted(order) == list(range(len(given_ones)))
    of_jobs = [[number for number in order if given_ones[number][1] == job] for job in range(1, 5)]
    assert all(numbers == sorted(numbers) for numbers in of_jobs)
    # What is read finds what was written before it and nothing else.
    for place, number in enumerate(order):
        if given_ones[number][0] == "read":
            assert place == number
    # No row is changed twice by one statement; it would be changed once.
    for numbers in sent:
        ((text, _),) = groupby(given_ones[number][0] for number in numbers)
        jobs = [given_ones[number][1] for number in numbers]
        assert text.startswith("add") or len(set(jobs)) == len(jobs)


def test_units_about_different_jobs_take_few_statements() -> None:
    unit = ["add a", "change b", "change c"]
    waiting = [
        _Statement(text, [b"1"], guarded=True, bulk=KINDS[text], job_id=job) for job in range(20) for text in unit
    ]
    assert [(it.text, it.rows) for it in _together(waiting)] == [("add as", 20), ("change bs", 20), ("change cs", 20)]
