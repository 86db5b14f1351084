"""Join codes as people type them."""

import re

import pytest

from coordinator.domain.join_codes import ALPHABET, new_code, plain_code


def test_a_code_is_short_and_has_forty_bits() -> None:
    assert len(ALPHABET) ** 8 == 2**40
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", code) for code in codes)


@pytest.mark.parametrize("typed", ["ABCD-EF01", "abcd ef01", " abcdefoi", "ABCD-EFOL"])
def test_what_looks_alike_is_the_same(typed: str) -> None:
    assert plain_code(typed) == "ABCDEF01"


@pytest.mark.parametrize("typed", ["", "ABCD-EFG", "ABCD-EFGHJ", "ABCD-EFGU", "rf_join_", "ABCD-EFÄ1"])
def test_what_is_no_code(typed: str) -> None:
    assert plain_code(typed) is None
