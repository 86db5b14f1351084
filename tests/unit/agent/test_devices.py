"""Which devices an agent takes, and which of them each slot."""

from typing import Any

import pytest

from agent.blender.output import ComputeDevice
from agent.devices import Choice, DeviceError, Wish, choose
from agent.gpus import Gpus
from coordinator.protocol import Device
from tests.fakes.nvml import GIBIBYTE, FakeCard, FakeNvml

CPU = ComputeDevice(type=Device.CPU, name="EPYC", id="CPU")


def listed(*devices: tuple[str, str, int]) -> list[ComputeDevice]:
    """Return devices as Cycles lists them: of a type, a name and a place on the bus."""
    return [
        *(
            ComputeDevice(type=Device(kind), name=name, id=f"{kind}_{name}_0000:{bus:02x}:00")
            for kind, name, bus in devices
        ),
        CPU,
    ]


def nvidia(count: int, name: str = "RTX 4090") -> list[ComputeDevice]:
    return listed(*((kind, name, bus + 1) for kind in ("CUDA", "OPTIX") for bus in range(count)))


def texts(choice: Choice) -> list[str]:
    return [slot.text for slot in choice.slots]


@pytest.mark.parametrize(
    ("devices", "capability", "kind"),
    [
        (listed(), (8, 9), "CPU"),
        (nvidia(1), (8, 9), "OPTIX"),
        (nvidia(1), (9, 0), "CUDA"),
        (listed(("CUDA", "K80", 1)), None, "CUDA"),
        (listed(("OPTIX", "A100", 1)), (8, 0), "OPTIX"),
        (listed(("HIP", "RX 7900", 9)), None, "HIP"),
        (listed(("ONEAPI", "Arc", 9), ("METAL", "M4", 9)), None, "METAL"),
        (listed(("ONEAPI", "Arc", 9)), None, "ONEAPI"),
        (listed(("HIP", "RX", 9), ("CUDA", "GTX 1080", 1)), (6, 1), "CUDA"),
    ],
)
def test_the_best_there_is(devices: list[ComputeDevice], capability: tuple[int, int] | None, kind: str) -> None:
    cards = Gpus(FakeNvml(FakeCard(capability=capability)).load).cards
    assert choose(Wish(None), devices, cards).kind == kind


def test_names_tell_of_ray_tracing_where_nvml_does_not() -> None:
    assert choose(Wish(None), nvidia(1, "RTX 4090"), ()).kind == Device.OPTIX
    assert choose(Wish(None), nvidia(1, "GTX 1080"), ()).kind == Device.CUDA


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, ["OPTIX:0", "OPTIX:1", "OPTIX:2", "OPTIX:3"]),
        ({"slots": 1}, ["OPTIX:0,1,2,3"]),
        ({"slots": 2}, ["OPTIX:0,1", "OPTIX:2,3"]),
        ({"slots": 3}, ["OPTIX:0", "OPTIX:1", "OPTIX:2,3"]),
        ({"slots": 6}, ["OPTIX:0", "OPTIX:1", "OPTIX:2", "OPTIX:3", "OPTIX:0", "OPTIX:1"]),
        ({"numbers": (0, 2)}, ["OPTIX:0", "OPTIX:2"]),
        ({"gpus_per_slot": 2}, ["OPTIX:0,1", "OPTIX:2,3"]),
        ({"gpus_per_slot": 2, "numbers": (3, 1)}, ["OPTIX:3,1"]),
        ({"gpus_per_slot": 3, "slots": 1}, ["OPTIX:0,1,2"]),
        ({"gpus_per_slot": 2, "slots": 3}, ["OPTIX:0,1", "OPTIX:2,3", "OPTIX:0,1"]),
    ],
)
def test_slots_share_the_devices_out(wish: dict[str, Any], expected: list[str]) -> None:
    assert texts(choose(Wish(Device.OPTIX, **wish), nvidia(4), ())) == expected


def test_processors() -> None:
    assert texts(choose(Wish(Device.CPU), nvidia(2), ())) == ["CPU"]
    assert texts(choose(Wish(None, slots=3), [CPU], ())) == ["CPU"] * 3


@pytest.mark.parametrize(
    ("wish", "devices", "words"),
    [
        (Wish(Device.HIP), nvidia(2), r"no HIP device.*CUDA:0 \(RTX 4090\), CUDA:1 .*OPTIX:1 \(RTX 4090\)\.$"),
        (Wish(Device.CUDA), [CPU], "none but the processor .*renderfarm doctor"),
        (Wish(Device.CUDA, (0, 2)), nvidia(2), "no device CUDA:2: there is CUDA:0"),
        (Wish(Device.CUDA, gpus_per_slot=2), nvidia(3), "3 devices cannot be shared out by 2"),
        (Wish(Device.CUDA, gpus_per_slot=4), nvidia(2), "RENDERFARM_GPUS_PER_SLOT"),
        (Wish(Device.CPU, gpus_per_slot=2), [CPU], "on the processor"),
        (Wish(None, (1,)), [CPU], "RENDERFARM_DEVICES"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(wish: Wish, devices: list[ComputeDevice], words: str) -> None:
    with pytest.raises(DeviceError, match=words):
        choose(wish, devices, ())


def test_memory_is_that_of_the_smallest_card_and_shared_by_its_slots() -> None:
    fake = FakeNvml(
        FakeCard(bus=1, memory=48 * GIBIBYTE), FakeCard(bus=2, memory=12 * GIBIBYTE), FakeCard(bus=3, memory=None)
    )
    cards = Gpus(fake.load).cards
    devices = nvidia(3)

    def memory(**wish: Any) -> list[int | None]:
        slots = choose(Wish(Device.CUDA, **wish), devices, cards).slots
        return [slot.vram_bytes and slot.vram_bytes // GIBIBYTE for slot in slots]

    assert memory() == [48, 12, None]
    assert memory(slots=1) == [12]
    assert memory(numbers=(0,), slots=2) == [24, 24]
    assert choose(Wish(Device.CUDA), devices, cards).vram_bytes == 12 * GIBIBYTE
    assert choose(Wish(Device.CPU), devices, cards).vram_bytes is None
    assert choose(Wish(Device.CUDA, (1,)), devices, cards).slots[0].cards == (cards[1],)
    assert choose(Wish(Device.CUDA, (1,)), devices, ()).slots[0].cards == ()
