"""Joules from the GPU's own counter, if there is one; never an estimate from a data sheet.

NVIDIA's counter (`nvmlDeviceGetTotalEnergyConsumption`, millijoules since the driver loaded, Volta and later) refreshes every
20-100 ms. It is therefore read at each point of the learning curve and never at each step. It counts the whole device.
"""

from __future__ import annotations

from collections.abc import Callable


def counter(device: str) -> Callable[[], float | None]:
    """Return a function that reads the joules since now, or None if there is no counter (extra `[energy]`)."""
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
        # No library, no permission or no counter: the column stays empty, and the report states it.
        return lambda: None
    return lambda: (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - start) / 1e3
