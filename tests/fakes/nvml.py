"""NVML with cards of a test's choice, and with the faults that cards and drivers have."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import pynvml

T = TypeVar("T")

GIBIBYTE = 1024**3


@dataclass
class FakeCard:
    """One card."""

    name: str = "NVIDIA GeForce RTX 4090"
    bus: int = 1
    memory: int | None = 24 * GIBIBYTE
    used: int = GIBIBYTE
    milliwatts: int | None = 120_500
    millijoules: int | None = 5_000_000
    """What it has taken since its driver was loaded."""
    celsius: int | None = 61
    utilization: int | None = 87
    capability: tuple[int, int] | None = (8, 9)
    lost: bool = False
    processes: dict[int, int | None] = field(default_factory=dict)
    """Those that compute; they may draw as well."""
    drawing: dict[int, int | None] = field(default_factory=dict)
    """Those that only draw."""


class FakeNvml:
    """Stands in for the module ``pynvml``."""

    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, *cards: FakeCard, driver: str = "550.163.01") -> None:
        self.cards = cards
        self.driver = driver

    def load(self) -> "FakeNvml":
        """Be loaded."""
        return self

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802 - NVML's name
        return self.driver

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - NVML's name
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeCard:  # noqa: N802 - NVML's name
        return _present(self.cards[index])

    def nvmlDeviceGetName(self, card: FakeCard) -> str:  # noqa: N802 - NVML's name
        return _present(card).name

    def nvmlDeviceGetPciInfo(self, card: FakeCard) -> Any:  # noqa: N802 - NVML's name
        return SimpleNamespace(domain=0, bus=_present(card).bus, device=0)

    def nvmlDeviceGetCudaComputeCapability(self, card: FakeCard) -> tuple[int, int]:  # noqa: N802 - NVML's name
        return _told(_present(card).capability)

    def nvmlDeviceGetMemoryInfo(self, card: FakeCard) -> Any:  # noqa: N802 - NVML's name
        return SimpleNamespace(total=_told(_present(card).memory), used=card.used)

    def nvmlDeviceGetPowerUsage(self, card: FakeCard) -> int:  # noqa: N802 - NVML's name
        return _told(_present(card).milliwatts)

    def nvmlDeviceGetTotalEnergyConsumption(self, card: FakeCard) -> int:  # noqa: N802 - NVML's name
        return _told(_present(card).millijoules)

    def nvmlDeviceGetTemperature(self, card: FakeCard, sensor: int) -> int:  # noqa: N802 - NVML's name
        assert sensor == self.NVML_TEMPERATURE_GPU
        return _told(_present(card).celsius)

    def nvmlDeviceGetUtilizationRates(self, card: FakeCard) -> Any:  # noqa: N802 - NVML's name
        return SimpleNamespace(gpu=_told(_present(card).utilization), memory=0)

    def nvmlDeviceGetComputeRunningProcesses(self, card: FakeCard) -> list[Any]:  # noqa: N802 - NVML's name
        return _processes(_present(card).processes)

    def nvmlDeviceGetGraphicsRunningProcesses(self, card: FakeCard) -> list[Any]:  # noqa: N802 - NVML's name
        return _processes(_present(card).processes | card.drawing)


def no_driver() -> Any:
    """Be loaded where the library is, but no driver."""
    raise pynvml.NVMLError(pynvml.NVML_ERROR_DRIVER_NOT_LOADED)


def _present(card: FakeCard) -> FakeCard:
    if card.lost:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    return card


def _processes(used: dict[int, int | None]) -> list[Any]:
    return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in used.items()]


def _told(value: T | None) -> T:
    if value is None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    return value
