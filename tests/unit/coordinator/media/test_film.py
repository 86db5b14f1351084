"""Film command lines and frame rates."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from coordinator.media.film import Film, encode_argv, exact_rate

FILM = Film(
    pattern=Path("/f/%06d.png"),
    frame_count=48,
    rate=Fraction(24),
    width=64,
    height=36,
    alpha=False,
    deep=False,
    sound=None,
)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (24.0, Fraction(24)),
        (24 / 1.001, Fraction(24000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (23.98, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (0.5, Fraction(1, 2)),
        (1.0, Fraction(1)),
        (10_000.0, Fraction(10_000)),
        (0.0001, Fraction(1, 10_000)),
    ],
)
def test_exact_rate(fps: float, rate: Fraction) -> None:
    assert exact_rate(fps) == rate


def option(argv: list[str], name: str) -> str:
    """Return what follows an option."""
    return argv[argv.index(name) + 1]


def test_a_film_without_sound_has_one_input() -> None:
    argv = encode_argv(Path("ffmpeg"), FILM, Path("/f/film.mp4"))
    assert argv.count("-i") == 1
    assert "-c:a" not in argv
    assert option(argv, "-framerate") == "24"
    assert argv[-1] == "/f/film.mp4"


def test_sound_is_padded_and_cut_to_the_very_length() -> None:
    film = replace(FILM, rate=Fraction(24000, 1001), sound=Path("/f/s.flac"))
    argv = encode_argv(Path("ffmpeg"), film, Path("/f/film.mp4"))
    assert option(argv, "-framerate") == "24000/1001"
    assert option(argv, "-af") == "apad=whole_dur=2.002000,atrim=end=2.002000"


def test_only_alpha_is_premultiplied() -> None:
    assert "premultiply" not in option(encode_argv(Path("ffmpeg"), FILM, Path("x")), "-vf")
    chain = option(encode_argv(Path("ffmpeg"), replace(FILM, alpha=True, deep=True), Path("x")), "-vf")
    assert chain.startswith("format=gbrap16,premultiply=inplace=1,format=gbrp16,")


def test_only_odd_sides_are_padded() -> None:
    assert "pad=" not in option(encode_argv(Path("ffmpeg"), FILM, Path("x")), "-vf")
    chain = option(encode_argv(Path("ffmpeg"), replace(FILM, width=63), Path("x")), "-vf")
    assert "pad=64:36:0:0,fillborders=right=1:bottom=0:mode=smear" in chain
