"""Which backend may run which call on which machine: every rule and every known fault, both sides of its border, no GPU."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch

from ablate import kernels
from ablate.config import ConfigError
from ablate.kernels.faults import KNOWN_FAULTS
from ablate.kernels.on_cuda import inside_biased
from ablate.nn import attention as core
from ablate.nn.attention import backends
from ablate.nn.attention.backends import LONGEST, Call, Machine, eligible, refusal

kernels.install()
HOPPER = Machine(
    device="cuda",
    capability=(9, 0),
    name="Hopper",
    torch=(2, 13),
    cudnn=92000,
)
CPU = Machine(device="cpu")
TPU = Machine(device="xla")
CALL = Call(dtype="bfloat16", B=4, H=8, T=512, S=512, K=64, value_width=64, mask="full")
WIDE = {"K": 256, "value_width": 256}
NEWER = {"torch": (2, 14), "cudnn": 92201}

# (backend, what differs in the call, what differs in the machine, words of the reason or "" where it may run)
TABLE: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("reference", {"T": 10**6}, {}, ""),
    ("naive", {"T": LONGEST}, {}, ""),
    ("naive", {"T": LONGEST + 1}, {}, "keeps T x S weights"),
    ("matmul", {"S": LONGEST + 1}, {}, "keeps T x S weights"),
    ("native", {"dtype": "float32"}, {"device": "cpu"}, ""),
    ("native", {"dtype": "float32"}, {"device": "cpu", "lacks": ("native",)}, "needs gcc on Linux"),
    ("native", {"dtype": "float32"}, {}, "needs cpu"),
    ("native", {}, {"device": "cpu"}, "takes float32, not bfloat16"),
    ("native", {"dtype": "float32", "T": LONGEST + 1}, {"device": "cpu"}, "keeps T x S weights"),
    ("sdpa:math", {"S": LONGEST + 1}, {}, "keeps T x S weights"),
    ("sdpa:default", {}, {}, ""),
    ("sdpa:default", {}, {"device": "xla"}, ""),
    ("sdpa:default", {}, {"device": "cpu"}, "without a kernel chosen by name"),
    ("sdpa:default", {"bias": "learned", "only_bias": True}, {}, "pytorch#148476"),
    # cuDNN
    ("sdpa:cudnn", {}, {}, ""),
    ("sdpa:cudnn", {"bias": "fixed"}, {}, ""),
    ("sdpa:cudnn", {"mask": "dense"}, {}, ""),
    ("sdpa:cudnn", {}, {"device": "cpu"}, "needs cuda"),
    ("sdpa:cudnn", {}, {"cudnn": 0}, "needs cuDNN"),
    ("sdpa:cudnn", {}, {"cudnn": 8906}, "needs cuDNN 9.0"),
    ("sdpa:cudnn", {}, {"capability": (7, 5)}, "compute capability 8.0 to 12.1"),
    ("sdpa:cudnn", {}, {"capability": (12, 1)}, ""),
    ("sdpa:cudnn", {}, {"capability": (12, 2)}, "compute capability 8.0 to 12.1"),
    ("sdpa:cudnn", {"dtype": "float32"}, {}, "takes bfloat16 and float16, not float32"),
    ("sdpa:cudnn", {"dtype": "float16"}, {}, ""),
    ("sdpa:cudnn", {"K": 60, "value_width": 60}, {}, "multiples of 8"),
    ("sdpa:cudnn", {"value_width": 60}, {}, "multiples of 8"),
    ("sdpa:cudnn", {"K": 128, "value_width": 128}, {}, ""),
    ("sdpa:cudnn", WIDE, {}, "up to 128, not 256"),
    ("sdpa:cudnn", WIDE, NEWER, ""),
    ("sdpa:cudnn", WIDE, {**NEWER, "cudnn": 92200}, "up to 128"),
    ("sdpa:cudnn", WIDE, {**NEWER, "torch": (2, 13)}, "up to 128"),
    ("sdpa:cudnn", WIDE, {**NEWER, "capability": (12, 0)}, "up to 128"),
    ("sdpa:cudnn", WIDE, {**NEWER, "capability": (10, 3)}, ""),
    ("sdpa:cudnn", WIDE, {**NEWER, "capability": (10, 7)}, "up to 128"),
    ("sdpa:cudnn", WIDE, {**NEWER, "capability": (10, 7), "cudnn": 92501}, ""),
    ("sdpa:cudnn", {"K": 192, "value_width": 128}, NEWER, ""),
    ("sdpa:cudnn", {"K": 160, "value_width": 160}, NEWER, "backward pass for head widths"),
    ("sdpa:cudnn", {"K": 160, "value_width": 160, "gradient": False}, NEWER, ""),
    ("sdpa:cudnn", {"S": 1}, {}, "needs more than one key"),
    ("sdpa:cudnn", {"S": 0}, {}, "needs a query and a key"),
    ("sdpa:cudnn", {"T": 0}, {}, "needs a query and a key"),
    ("sdpa:cudnn", {"B": 65535}, {}, ""),
    ("sdpa:cudnn", {"B": 65536}, {}, "at most 65535"),
    ("sdpa:cudnn", {"bias": "learned"}, {}, "no gradient to a bias"),
    ("sdpa:cudnn", {"deterministic": True}, {}, "no deterministic backward"),
    ("sdpa:cudnn", {"deterministic": True, "gradient": False}, {}, "no deterministic backward"),
    # FlashAttention 2
    ("sdpa:flash-2", {}, {}, ""),
    ("sdpa:flash-2", {"deterministic": True}, {}, ""),
    ("sdpa:flash-2", {"mask": "causal"}, {}, ""),
    ("sdpa:flash-2", {"mask": "causal", "T": 128}, {}, ""),
    ("sdpa:flash-2", {"mask": "causal", "T": 1024}, {}, "takes no mask but causal and prefix"),
    ("sdpa:flash-2", {"mask": "prefix"}, {}, ""),
    ("sdpa:flash-2", {"mask": "lengths"}, {}, "takes no mask but causal and prefix, not lengths"),
    ("sdpa:flash-2", {"mask": "causal & documents"}, {}, "takes no mask"),
    ("sdpa:flash-2", {"bias": "fixed"}, {}, "takes no bias"),
    ("sdpa:flash-2", {"dtype": "float32"}, {}, "takes bfloat16 and float16"),
    ("sdpa:flash-2", WIDE, {}, ""),
    ("sdpa:flash-2", {"K": 264, "value_width": 264}, {}, "up to 256"),
    ("sdpa:flash-2", {"value_width": 32}, {}, "values as wide as keys"),
    ("sdpa:flash", {}, {"device": "cpu"}, ""),
    ("sdpa:flash", {"value_width": 32}, {"device": "cpu"}, "values as wide as keys"),
    ("sdpa:flash", {"bias": "learned"}, {"device": "cpu"}, "no gradient to a bias"),
    ("sdpa:flash", {"S": 0}, {"device": "cpu"}, "needs a query and a key"),
    ("sdpa:flash", {}, {}, "needs cpu"),
    ("sdpa:flash-2", {"K": 60, "value_width": 60}, {}, ""),
    ("sdpa:flash-2", {"S": 0}, {}, "needs a query and a key"),
    ("sdpa:flash-2", {}, {"capability": (7, 0)}, "compute capability 8.0"),
    ("sdpa:flash-2", {"K": 192, "value_width": 192}, {"capability": (8, 6)}, ""),
    ("sdpa:flash-2", {"K": 200, "value_width": 200}, {"capability": (8, 6)}, "no backward pass for head widths"),
    ("sdpa:flash-2", {"K": 200, "value_width": 200}, {"capability": (12, 0)}, "no backward pass for head widths"),
    ("sdpa:flash-2", {"K": 200, "value_width": 200, "gradient": False}, {"capability": (8, 9)}, ""),
    ("sdpa:flash-2", {"K": 200, "value_width": 200}, {}, ""),
    ("sdpa:flash-2", WIDE, {"capability": (8, 6)}, ""),
    ("sdpa:flash-2", {}, {"device": "xla"}, "needs cuda"),
    # The memory-efficient kernel
    ("sdpa:efficient", {}, {}, ""),
    ("sdpa:efficient", {"dtype": "float32", "bias": "learned", "mask": "dense"}, {}, ""),
    ("sdpa:efficient", {"mask": "lengths", "T": 8}, {}, ""),
    ("sdpa:efficient", {"deterministic": True}, {}, ""),
    ("sdpa:efficient", {}, {"device": "cpu"}, "needs cuda"),
    ("sdpa:efficient", {"dtype": "float64"}, {}, "no float64"),
    ("sdpa:efficient", {"K": 60, "value_width": 60}, {}, "multiples of 8 in bfloat16, not 60"),
    ("sdpa:efficient", {"dtype": "float32", "K": 60, "value_width": 60}, {}, ""),
    ("sdpa:efficient", {"dtype": "float32", "K": 62, "value_width": 62}, {}, "multiples of 4 in float32"),
    ("sdpa:efficient", {"dtype": "float32", "K": 61, "value_width": 61}, {"capability": (7, 0)}, ""),
    ("sdpa:efficient", {}, {"capability": (7, 0)}, "bfloat16 from compute capability 8.0"),
    ("sdpa:efficient", {"dtype": "float16"}, {"capability": (7, 0)}, ""),
    ("sdpa:efficient", {}, {"capability": (13, 0)}, "up to 12.1"),
    ("sdpa:efficient", {"T": 0}, {}, "needs a query and a key"),
    # FlexAttention
    ("flex", {"mask": "causal & documents"}, {}, ""),
    ("flex", {"mask": "documents", "bias": "fixed"}, {}, ""),
    ("flex", {}, {"device": "cpu"}, "needs cuda"),
    ("flex", {}, {"lacks": ("flex",)}, "the package triton"),
    ("flex", {"dtype": "float64"}, {}, "no float64"),
    ("flex", {"K": 8, "value_width": 8}, {}, "from 16 on"),
    ("flex", {"bias": "learned"}, {}, "no reliable gradient of a bias"),
    ("flex", {"S": 0}, {}, "needs a query and a key"),
    # A learned bias
    ("biased", {"bias": "learned"}, {}, ""),
    ("biased", {"bias": "learned", "mask": "causal", "T": 128}, {}, ""),
    ("biased", {"bias": "learned", "mask": "lengths"}, {}, ""),
    ("biased", {"bias": "learned", "only_bias": True}, {}, ""),
    ("biased", {"bias": "fixed"}, {}, "is for a bias with gradient"),
    ("biased", {"bias": "learned"}, {"device": "cpu"}, "needs cuda"),
    ("biased", {"bias": "learned"}, {"lacks": ("biased",)}, "the package triton"),
    ("biased", {"bias": "learned"}, {"capability": (8, 0)}, "compute capability 9.x or 10.x"),
    ("biased", {"bias": "learned", "dtype": "float32"}, {}, "takes bfloat16 and float16"),
    ("biased", {"bias": "learned", "K": 136, "value_width": 136}, {}, "up to 128"),
    ("biased", {"bias": "learned", "value_width": 128}, {}, "values as wide as keys"),
    ("biased", {"bias": "learned", "K": 60, "value_width": 60}, {}, "neither can run this"),
    ("biased", {"bias": "learned", "deterministic": True}, {}, ""),
    # The packages
    ("flash-3", {}, {}, ""),
    ("flash-3", {"mask": "causal", "T": 128}, {}, ""),
    ("flash-3", {}, {"lacks": ("flash-3",)}, "flash_attn_interface, which is not installed"),
    ("flash-3", {}, {"capability": (10, 0)}, "9.x, not 10.x"),
    ("flash-3", WIDE, {}, ""),
    ("flash-4", {}, {"capability": (10, 0)}, ""),
    ("flash-4", {}, {"capability": (12, 0)}, "9.x or 10.x, not 12.x"),
    ("flash-4", {}, {"lacks": ("flash-4",)}, "flash_attn.cute, which is not installed"),
    ("flash-4", {}, {"device": "cpu"}, "needs cuda"),
    ("flash-4", WIDE, {}, "up to 128"),
    ("flash-4", {"K": 60, "value_width": 60}, {}, "multiples of 8"),
    ("flash-4", {"dtype": "float32"}, {}, "takes bfloat16 and float16"),
    ("flash-4", {"value_width": 32}, {}, "values as wide as keys"),
    ("flash-4", {"bias": "fixed"}, {}, "takes no bias"),
    ("flash-4", {"mask": "prefix"}, {}, "takes the masks full and causal"),
    ("flash-4", {"mask": "causal", "T": 1024}, {}, "takes the masks full and causal"),
    ("flash-4", {"S": 0}, {}, "needs a query and a key"),
    ("flash-4", {"deterministic": True}, {}, "deterministic"),
    # Nobody, and nobody's name
    ("reference", {"dtype": "int64"}, {}, "needs numbers of type float64, float32"),
    ("sdpa:fastest", {}, {}, "is not known; known: reference, "),
]


@pytest.mark.parametrize(("backend", "call", "machine", "why"), TABLE)
def test_each_rule(backend: str, call: dict[str, Any], machine: dict[str, Any], why: str) -> None:
    said = refusal(backend, replace(CALL, **call), replace(HOPPER, **machine))
    assert why in said if why else said == ""


def test_every_backend_is_in_the_table_both_refused_and_allowed() -> None:
    never_refused = {"reference"}
    for backend in backends.BACKENDS:
        outcomes = {bool(why) for name, _, _, why in TABLE if name == backend}
        other = backend in ("naive", "matmul", "sdpa:math")
        assert outcomes == {True, False} or backend in never_refused or other


# (issue, backend, what differs: just inside the fault, just outside of it on the side of the call, and of the machine)
FAULTS: list[tuple[str, str, dict[str, Any], list[dict[str, Any]], dict[str, Any], list[dict[str, Any]]]] = [
    (
        "pytorch#196678",
        "sdpa:cudnn",
        {"S": 192, "T": 192, "mask": "dense"},
        [{"S": 256}, {"mask": "causal"}, {"gradient": False}, {"S": 200}],
        {"cudnn": 91900},
        [{"cudnn": 92600}],
    ),
    (
        "pytorch#169849",
        "sdpa:cudnn",
        {"S": 500, "T": 500},
        [{"S": 512, "T": 512}],
        {"cudnn": 91500},
        [{"cudnn": 91501}],
    ),
    (
        "cudnn-frontend#1072",
        "sdpa:cudnn",
        {"T": 1},
        [{"T": 2}, {"gradient": False}],
        {"cudnn": 92600},
        [{"cudnn": 92500}],
    ),
    (
        "pytorch#193893",
        "sdpa:cudnn",
        {"H": 7},
        [{"H": 8}],
        {"capability": (10, 0)},
        [{"capability": (9, 0)}],
    ),
    (
        "pytorch#148476",
        "sdpa:efficient",
        {"bias": "learned", "only_bias": True},
        [{"only_bias": False}],
        {"torch": (2, 13)},
        [{"torch": (2, 14)}],
    ),
    (
        "pytorch#153799",
        "flex",
        {"T": 500, "S": 500, "mask": "documents", "bias": "fixed"},
        [{"T": 512, "S": 512}, {"bias": "none"}, {"mask": "full"}, {"gradient": False}],
        {},
        [],
    ),
    ("pytorch#158212", "flex", {"mask": "dense"}, [{"mask": "documents"}, {"gradient": False}], {}, []),
]


@pytest.mark.parametrize(("issue", "backend", "call", "outside", "machine", "mended"), FAULTS)
def test_each_known_fault_on_both_sides(
    issue: str,
    backend: str,
    call: dict[str, Any],
    outside: list[dict[str, Any]],
    machine: dict[str, Any],
    mended: list[dict[str, Any]],
) -> None:
    faulty, where = replace(CALL, **call), replace(HOPPER, **machine)
    assert refusal(backend, faulty, where).endswith(f"({issue})")
    for change in outside:
        assert refusal(backend, replace(faulty, **change), where) == ""
    for change in mended:
        assert refusal(backend, faulty, replace(where, **change)) == ""


def test_no_known_fault_is_left_out() -> None:
    assert [(fault.issue, fault.backend) for fault in KNOWN_FAULTS] == [(issue, backend) for issue, backend, *_ in FAULTS]


def test_a_prefix_is_cut_into_parts_whose_lengths_the_faults_cannot_see() -> None:
    prefix = replace(CALL, mask="prefix")
    assert refusal("sdpa:cudnn", prefix, HOPPER) == ""
    assert "pytorch#169849" in refusal("sdpa:cudnn", prefix, replace(HOPPER, cudnn=91500))
    assert "cudnn-frontend#1072" in refusal("sdpa:cudnn", prefix, replace(HOPPER, cudnn=92600))


def test_a_learned_bias_goes_around_the_faults_of_cudnn() -> None:
    learned = replace(CALL, bias="learned")
    assert inside_biased(learned, HOPPER) == "sdpa:cudnn"
    assert inside_biased(replace(learned, T=192, S=192), HOPPER) == "sdpa:efficient"
    assert inside_biased(replace(learned, deterministic=True), HOPPER) == "sdpa:efficient"
    assert inside_biased(replace(learned, only_bias=True, T=192, S=192), HOPPER) == "sdpa:efficient"
    assert inside_biased(replace(learned, K=60, value_width=60), HOPPER) == ""


def test_half_precision_on_a_cpu_is_refused_by_all_with_a_reason() -> None:
    call = replace(CALL, dtype="float16")
    assert eligible(call, CPU) == ()
    with pytest.raises(ConfigError, match="has no fast arithmetic for float16 on a CPU; use float32 or bfloat16"):
        backends.choose(call, CPU)
    q = torch.zeros(1, 1, 2, 8, dtype=torch.float16)
    with pytest.raises(ConfigError, match="float16"):
        core.attention(q, q, q)


def test_a_forced_backend_that_may_not_run_says_why_and_which_may() -> None:
    with (
        core.backend("sdpa:flash"),
        pytest.raises(
            ConfigError, match=r"'sdpa:flash' cannot run bfloat16 \[4, 8, 512 x 512, 64\], full, learned bias"
        ) as raised,
    ):
        backends.choose(replace(CALL, bias="learned"), CPU)
    said = str(raised.value)
    assert "it sends no gradient to a bias" in said
    assert said.endswith("able: reference, matmul, sdpa:math, naive")
    with pytest.raises(ConfigError, match=r"needs cuda; able: reference, matmul, sdpa:flash, sdpa:math, naive"):
        backends.choose(CALL, CPU, "sdpa:cudnn")


def test_every_call_finds_a_backend_on_every_machine_that_may_run_it() -> None:
    machines = [
        CPU,
        TPU,
        HOPPER,
        replace(HOPPER, lacks=("flex", "biased", "flash-3", "flash-4")),
        replace(HOPPER, cudnn=91500),
        replace(HOPPER, cudnn=92600),
        replace(HOPPER, capability=(7, 5)),
        replace(HOPPER, capability=(10, 0)),
        replace(HOPPER, capability=(12, 0)),
    ]
    masks = ("full", "causal", "prefix", "lengths", "documents", "dense", "causal & documents")
    lengths = ((1, 1), (1, 77), (192, 192), (512, 512), (512, 64), (4096, 4096))
    for machine, mask, (T, S), bias, K, deterministic in itertools.product(
        machines, masks, lengths, ("none", "fixed", "learned"), (16, 60, 64, 256), (False, True)
    ):
        for dtype in ("float32", "bfloat16"):
            call = Call(
                dtype=dtype,
                B=2,
                H=2,
                T=T,
                S=S,
                K=K,
                value_width=K,
                mask=mask,
                # mypy: a literal in a tuple is a plain string
                bias=bias,  # type: ignore[arg-type]
                deterministic=deterministic,
            )
            assert refusal(backends.choose(call, machine), call, machine) == ""


def test_a_call_is_described_by_what_needs_a_gradient() -> None:
    q = torch.zeros(2, 3, 4, 8)
    bias = torch.zeros(1, 3, 4, 4, requires_grad=True)
    frozen = backends.describe(q, q, q, core.FULL, bias)
    assert (frozen.bias, frozen.gradient, frozen.only_bias) == ("learned", True, True)
    moving = backends.describe(q.requires_grad_(), q, q, core.FULL, bias)
    assert (moving.bias, moving.gradient, moving.only_bias) == ("learned", True, False)
    with torch.no_grad():
        still = backends.describe(q, q, q, core.FULL, bias)
    assert (still.bias, still.gradient, still.only_bias) == ("fixed", False, False)
