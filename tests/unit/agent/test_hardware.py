"""What an agent tells of its machine."""

import platform

import pytest

from agent.gpus import Gpus
from agent.hardware import read_hardware
from coordinator.protocol import Gpu, Hardware, decode, encode
from tests.fakes.nvml import GIBIBYTE, FakeCard, FakeNvml


def test_this_machine_is_described_and_can_be_sent() -> None:
    hardware = read_hardware([])
    assert hardware.cpu
    assert hardware.memory_bytes > 0
    assert decode(encode(hardware), Hardware) == hardware


def test_cards_are_told_with_the_machine() -> None:
    cards = Gpus(FakeNvml(FakeCard()).load).cards
    assert read_hardware(cards).gpus == [Gpu(name=cards[0].name, memory_bytes=24 * GIBIBYTE, driver=cards[0].driver)]


def test_the_system_has_the_name_that_people_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"})
    assert read_hardware([]).os == "Debian GNU/Linux 12 (bookworm)"


def test_a_system_that_does_not_tell_is_named_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_linux() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", not_linux)
    assert platform.system() in read_hardware([]).os
