"""Joules from the GPU's own counter, where there is one; never an estimate from a data sheet.

NVIDIA's counter (`nvmlDeviceGetTotalEnergyConsumption`, millijoules since the driver loaded, Volta and later) refreshes
every 20-100 ms, so it is read per learning-curve point and never per step. It counts the whole device.
"""

from __future__ import annotations

from collections.abc import Callable


def counter(device: str) -> Callable[[], float | None]:
    """A function that returns joules since now, or None where nothing counts them (extra `[energy]`)."""
    if device != "cuda":
        return lambda: None
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        properties = torch.cuda.get_device_properties(torch.cuda.current_device())
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{properties.uuid}")
        start = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:
        # No library, no permission or no counter: the column stays empty, which the report says.
        return lambda: None
    return lambda: (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - start) / 1e3
