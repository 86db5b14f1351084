"""NVIDIA's cards, as their driver tells of them (NVML).  Without the driver there are none, and that is no error."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coordinator.protocol import Gpu, GpuLoad

#: Compute capabilities of the chips with cores for ray tracing (Turing, Ampere, Ada, Blackwell).  Those of data centres
#: in between (A100, H100, H200, B200) have none: OptiX is no faster there than CUDA.
_RAY_TRACING = frozenset({(7, 5), (8, 6), (8, 7), (8, 9), (12, 0), (12, 1)})

#: Turing's small chips came without these cores.
_WITHOUT_RAY_TRACING = ("GTX 16", "MX450", "MX550", "T400", "T500", "T550", "T600", "T1000", "T1200")


@dataclass(frozen=True, slots=True)
class Card:
    """A card that answers."""

    index: int
    """Its number at NVML, which counts by the places on the bus."""
    place: str
    """On the bus, ``domain:bus:device`` in hexadecimal, as Cycles writes it into the ids of its devices."""
    name: str
    memory_bytes: int | None
    driver: str
    ray_tracing: bool
    """It has cores for that, which OptiX uses and CUDA does not."""

    def described(self) -> Gpu:
        """Return what the coordinator is told of it."""
        return Gpu(name=self.name, memory_bytes=self.memory_bytes, driver=self.driver)


def load_nvml() -> Any:
    """Return NVIDIA's library, started.

    Raises:
        pynvml.NVMLError: there is no driver, or it does not work.
    """
    library = importlib.import_module("pynvml")
    library.nvmlInit()
    return library


class Gpus:
    """The cards of this machine.  What a card does not tell is ``None``; calls take milliseconds and may block.

    They take seconds when the driver has to wake the cards first (no persistence daemon).
    """

    def __init__(self, load: Callable[[], Any] = load_nvml) -> None:
        """Look for cards; ``load`` returns NVML or raises its ``NVMLError``."""
        self.trouble: str | None = None
        """Why there is no telling of cards at all; None when the driver answers."""
        self.lost: list[str] = []
        """A sentence for each card that the driver knows but that does not answer."""
        self._library: Any = None
        self._handles: dict[int, Any] = {}
        self.cards: tuple[Card, ...] = ()
        errors: Any = importlib.import_module("pynvml").NVMLError
        self._error: type[Exception] = errors
        try:
            self._library = load()
            driver = str(self._library.nvmlSystemGetDriverVersion())
            count = int(self._library.nvmlDeviceGetCount())
        except self._error as error:
            self.trouble = str(error)
            return
        self.cards = tuple(card for index in range(count) if (card := self._find(index, driver)) is not None)

    def loads(self) -> list[GpuLoad]:
        """Return what each card measures of itself."""
        return [self._load(card) for card in self.cards]

    def memory_used(self, card: Card) -> int | None:
        """Return how much of a card's memory is taken (bytes), by whomever."""
        memory = self._ask("nvmlDeviceGetMemoryInfo", card)
        return None if memory is None else int(memory.used)

    def joules(self, card: Card) -> float | None:
        """Return what a card has taken since its driver was loaded; cards before Volta do not count it."""
        millijoules = self._ask("nvmlDeviceGetTotalEnergyConsumption", card)
        return None if millijoules is None else millijoules / 1000

    def watts(self, card: Card) -> float | None:
        """Return what a card takes now."""
        milliwatts = self._ask("nvmlDeviceGetPowerUsage", card)
        return None if milliwatts is None else milliwatts / 1000

    def computing(self, card: Card) -> set[int]:
        """Return the processes that compute on a card; those that only draw, as desktops do, are left out.

        Process ids are those of the machine: within a container they may mean nothing.
        """
        return {int(process.pid) for process in self._ask("nvmlDeviceGetComputeRunningProcesses", card) or ()}

    def memory_by_process(self, card: Card) -> dict[int, int | None]:
        """Return the processes that use a card, and the memory each has there (bytes; None: not told).

        Process ids are those of the machine: within a container they may mean nothing.
        """
        used: dict[int, int | None] = {}
        for call in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            for process in self._ask(call, card) or ():
                # One that does both is told of twice, with the same memory.
                used[int(process.pid)] = None if process.usedGpuMemory is None else int(process.usedGpuMemory)
        return used

    def _find(self, index: int, driver: str) -> Card | None:
        try:
            handle = self._library.nvmlDeviceGetHandleByIndex(index)
            name = str(self._library.nvmlDeviceGetName(handle))
            pci = self._library.nvmlDeviceGetPciInfo(handle)
        except self._error as error:
            self.lost.append(f"Graphics card {index} does not answer ({error}).")
            return None
        self._handles[index] = handle
        place = f"{pci.domain:04x}:{pci.bus:02x}:{pci.device:02x}"
        card = Card(index, place, name, None, driver, ray_tracing=False)
        memory = self._ask("nvmlDeviceGetMemoryInfo", card)
        capability = self._ask("nvmlDeviceGetCudaComputeCapability", card)
        return Card(
            index,
            place,
            name,
            None if memory is None else int(memory.total),
            driver,
            ray_tracing=_traces_rays(name, capability),
        )

    def _load(self, card: Card) -> GpuLoad:
        memory = self._ask("nvmlDeviceGetMemoryInfo", card)
        rates = self._ask("nvmlDeviceGetUtilizationRates", card)
        celsius = self._ask("nvmlDeviceGetTemperature", card, self._library.NVML_TEMPERATURE_GPU)
        return GpuLoad(
            name=card.name,
            celsius=None if celsius is None else float(celsius),
            watts=self.watts(card),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_bytes=card.memory_bytes,
            utilization=None if rates is None else min(rates.gpu / 100, 1.0),
        )

    def _ask(self, call: str, card: Card, *more: Any) -> Any:
        """Return what NVML answers; None when the card does not tell that, or was lost."""
        try:
            return getattr(self._library, call)(self._handles[card.index], *more)
        except self._error:
            return None


def _traces_rays(name: str, capability: tuple[int, int] | None) -> bool:
    if capability is None:
        return "RTX" in name
    return tuple(capability) in _RAY_TRACING and not any(chip in name for chip in _WITHOUT_RAY_TRACING)
