"""Learning rate against budget: a linear warm-up, a constant stable phase, a linear decay to zero.

    multiplier(p) = p / w            for p < w
                    1                for w <= p <= 1 - d
                    (1 - p) / d      for p > 1 - d         p: share of the token budget read

The constant phase makes one run comparable at every budget inside it. A cosine that is cut short is a run without annealing
beside annealed ones (Hu et al. 2024, *MiniCPM*, section 4; Hägele et al. 2024, section 3).
"""

from __future__ import annotations

from ablate.config import Optimization


def multiplier(optimization: Optimization, progress: float) -> float:
    """The factor on the learning rate at `progress` in [0, 1]."""
    warmup, decay = optimization.warmup, optimization.decay
    if progress < warmup:
        return progress / warmup
    if decay and progress > 1 - decay:
        return max(0.0, (1 - progress) / decay)
    return 1.0


def stage(optimization: Optimization, progress: float) -> str:
    """Return `initial`, `warmup`, `stable`, `decay` or `final`."""
    if progress <= 0:
        return "initial"
    if progress >= 1:
        return "final"
    if progress < optimization.warmup:
        return "warmup"
    return "stable" if progress <= 1 - optimization.decay else "decay"
