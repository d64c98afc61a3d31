"""Metrics of the study attention-core, and its targets for a CPU and for a data-centre GPU."""

from __future__ import annotations

from typing import Any

from ablate.kernels.bench.rates import FASTEST, PASS, RATE, ROOF, TWO_STREAMS, of_pass
from ablate.kernels.bench.ratios import BEST, FLOORS, NAIVE, RATIOS, SCALING, SDPA, XLNET, places
from ablate.specification import Metric, Target


def column(metric: str, condition: str, label: str, better: str = "higher") -> Metric:
    # mypy: `better` is a plain string to it
    return Metric(evaluation=RATIOS, metric=metric, condition=condition, label=label, better=better, digits=2)  # type: ignore[arg-type]


def target(label: str, metric: str, condition: str, threads: int = 0, **bounds: Any) -> Target:
    return Target(
        label=label,
        key=Metric(evaluation=RATIOS, metric=metric, condition=condition, label="").key,
        floor=Metric(evaluation=FLOORS, metric=metric, condition=condition, label="").key,
        values={"runtime.threads": threads} if threads else {},
        **bounds,
    )


def target_of_worst(label: str, metric: str, condition: str, **bounds: Any) -> Target:
    key, floor = f"{RATIOS}/{metric}", f"{FLOORS}/{metric}"
    return Target(label=label, key=key, floor=floor, among=places(metric, condition), **bounds)


def at(mask: str, length: int, head_width: int = 64) -> str:
    return f"mask={mask},length={length},head_width={head_width}"


def on_gpu(label: str, evaluation: str, metric: str, *among: str, **bounds: Any) -> Target:
    floor = f"{FLOORS}/{metric}" if evaluation == RATIOS else ""
    return Target(label=label, key=f"{evaluation}/{metric}", floor=floor, among=among, **bounds)


def rate(which: str, mask: str, lengths: tuple[int, ...], head_width: int, at_least: float, published: str = "") -> Target:
    label = f"{mask} {' and '.join(map(str, lengths))}, K {head_width}, {which} [TFLOP/s]"
    label += f"; published {published}" if published else ""
    return on_gpu(label, RATE, which, *(at(mask, n, head_width) for n in lengths), at_least=at_least)


LONG_AND_WIDE = tuple(at(mask, length, 128) for mask in ("full", "causal") for length in (4096, 8192, 16384))
ON_A_HOPPER = (
    # 80 to 100 % of the published rates of the kernels that `auto` should choose. For width 128 they are those of cuDNN 9.19
    # (long calls) and 9.1 (512 positions) on an H200, for width 64 those of cuDNN on an H100. Sources: NVIDIA/cudnn-frontend,
    # benchmark folders; Shah et al. 2024, FlashAttention-3, figures 5 and 6.
    rate("forward", "full", (4096,), 128, 620, "671"),
    rate("forward", "causal", (4096,), 128, 560, "591"),
    rate("forward", "causal", (16384,), 128, 630, "673"),
    rate("backward", "full", (4096,), 128, 500, "560"),
    rate("backward", "causal", (4096,), 128, 420, "474"),
    rate("forward", "full", (512,), 128, 450, "501"),
    rate("backward", "full", (512,), 128, 320, "351"),
    rate("forward", "full", (4096,), 64, 380, "408"),
    rate("forward", "causal", (4096,), 64, 330, "363"),
    rate("forward", "full", (512, 1024), 64, 320, "335 to 373"),
    rate("forward", "causal", (512, 1024), 64, 225, "225 to 288"),
    rate("backward", "full", (4096,), 64, 380, "417"),
    rate("backward", "causal", (4096,), 64, 300),
    on_gpu("share of the roof, full 128, K 64, forward", ROOF, "forward", at("full", 128), at_least=0.6),
    on_gpu(
        "the fastest backend / auto, calls of 100 µs and more",
        PASS,
        FASTEST,
        *(at(mask, 2**n, width) for mask in ("full", "causal", "prefix") for n in range(9, 15) for width in (64, 128)),
        at_least=0.97,
    ),
    # Here cuDNN is fast, and `auto` has to choose it. Published: 1.82 to 2.06 and 1.59 to 1.84 (cuDNN 9.1, H200).
    on_gpu(
        "FlashAttention 2 / auto, forward, from 4096, K 128",
        PASS,
        of_pass("sdpa:flash-2", "forward"),
        *LONG_AND_WIDE,
        at_least=1.7,
    ),
    on_gpu(
        "FlashAttention 2 / auto, backward, from 4096, K 128",
        PASS,
        of_pass("sdpa:flash-2", "backward"),
        *LONG_AND_WIDE,
        at_least=1.5,
    ),
    on_gpu(
        "FlexAttention / auto, forward, causal 4096, K 128",
        PASS,
        of_pass("flex", "forward"),
        at("causal", 4096, 128),
        at_least=1.3,
    ),
    # A prefix call and a causal call together have as many pairs as one full call. This is met only if they reach its rate:
    # with FlashAttention 2 for them and cuDNN for the full call, about 1.45 is expected.
    on_gpu("two streams / one full call, 4096", PASS, TWO_STREAMS, at("two-stream", 4096), at_most=1.25),
    target("Hugging Face's XLNet / auto, two streams, 512", XLNET, at("two-stream", 512), at_least=10.0),
    on_gpu(
        "torch / auto, a bias that learns, 512 to 2048",
        RATIOS,
        SDPA,
        *(at("biased", n) for n in (512, 1024, 2048)),
        at_least=1.2,
    ),
    target_of_worst("dearest scaling / 1/√K, from 512", SCALING, "worst from 512", at_most=1.03),
)

METRICS = (
    column(NAIVE, "mean from 256", "textbook / auto, mean from 256"),
    column(BEST, "worst from 256", "best of textbook and torch / auto, worst of a session, from 256"),
    column(XLNET, "mean", "Hugging Face's XLNet / auto"),
    column(SDPA, "biased, worst", "torch / auto, learned bias, worst of a session"),
    column(SCALING, "worst from 512", "dearest scaling of a session / 1/√K, from 512", "lower"),
)
"""Columns of the report."""

ON_A_CPU = (
    target_of_worst("as fast as the better of textbook and torch, lengths from 256", BEST, "worst from 256", at_least=0.95),
    target_of_worst("as fast as the better of textbook and torch, lengths below 256", BEST, "worst below 256", at_least=1.0),
    target("textbook / auto, full, 512", NAIVE, at("full", 512), 2, at_least=1.25),
    target("textbook / auto, causal, 512", NAIVE, at("causal", 512), 2, at_least=1.5),
    target("textbook / auto, full, 1024", NAIVE, at("full", 1024), 2, at_least=2.0),
    target("textbook / auto, causal, 1024", NAIVE, at("causal", 1024), 2, at_least=2.6),
    target("Hugging Face's XLNet / auto, two streams, 128", XLNET, at("two-stream", 128), 1, at_least=2.2),
    target("Hugging Face's XLNet / auto, two streams, 512", XLNET, at("two-stream", 512), 1, at_least=4.0),
    target_of_worst("torch / auto, a bias that learns, every length", SDPA, "biased, worst", at_least=1.0),
    target_of_worst("dearest scaling / 1/√K, from 512", SCALING, "worst from 512", at_most=1.03),
    target_of_worst("dearest constant / 1/√K, every length", SCALING, "constants, worst", at_most=1.03),
)
