"""What an agent tells of its machine."""

import platform

import pytest

from agent.hardware import read_hardware, slot_vram
from coordinator.protocol import Gpu, Hardware, decode, encode


def test_this_machine_is_described_and_can_be_sent() -> None:
    hardware = read_hardware()
    assert hardware.cpu
    assert hardware.memory_bytes > 0
    assert decode(encode(hardware), Hardware) == hardware


@pytest.mark.parametrize(
    ("devices", "environment", "expected"),
    [
        (["CPU"], {}, None),
        (["HIP"], {}, None),
        (["OPTIX:1"], {}, 24),
        (["OPTIX:0", "OPTIX:1"], {}, 24),
        (["CUDA"], {}, 12),
        (["CUDA:7"], {}, 12),
        (["OPTIX:0"], {"CUDA_VISIBLE_DEVICES": "1"}, 12),
    ],
)
def test_memory_of_the_smallest_card_in_use(
    devices: list[str], environment: dict[str, str], expected: int | None
) -> None:
    cards = [Gpu(name=f"card of {memory}", memory_bytes=memory) for memory in (48, 24, 12)]
    assert slot_vram(devices, cards, environment) == expected


def test_card_whose_memory_nobody_tells() -> None:
    assert slot_vram(["CUDA:0"], [Gpu(name="card")], {}) is None
    assert slot_vram(["CUDA:0"], [], {}) is None


def test_the_system_has_the_name_that_people_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"})
    assert read_hardware().os == "Debian GNU/Linux 12 (bookworm)"


def test_a_system_that_does_not_tell_is_named_by_its_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_linux() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", not_linux)
    assert platform.system() in read_hardware().os
