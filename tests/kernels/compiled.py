"""Compiles the Triton kernel of the bias for compute capability 9.0 and prints what ptxas says of it, one variant a line.

Started by test_bias_kernel.py, in a process of its own. Argument: the head width.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ablate.kernels.bias_gradient import tile_of
from ablate.kernels.bias_kernel import bias_gradient

PTXAS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "ptxas"


def compiled(width: int, T: int, causal: bool, by_row: bool) -> dict[str, Any]:
    tile, names = tile_of(width, T), bias_gradient.arg_names
    fixed = {"K": width, "WIDTH": width, "TILE_T": tile.T, "TILE_S": tile.S, "ROWS": 4, "CAUSAL": causal, "BIAS_BY_ROW": by_row}
    fixed["stride_bs"] = 1
    halves = {"q_ptr", "k_ptr", "v_ptr", "dz_ptr", "bias_ptr"}
    types = {
        name: "constexpr"
        if name in fixed
        else "*bf16"
        if name in halves
        else "*fp32"
        if name.endswith("_ptr")
        else "fp32"
        if name == "scale"
        else "i32"
        for name in names
    }
    # What the just-in-time compiler finds out by itself of tensors as they come out of a projection.
    aligned = [i for i, name in enumerate(names) if name.endswith("_ptr") or (name.startswith("stride") and name not in fixed)]
    source = ASTSource(bias_gradient, types, fixed, {(i,): [["tt.divisibility", 16]] for i in aligned})
    options = {"num_warps": tile.warps, "num_stages": tile.stages}
    found = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(found.asm["ptx"])
        file.flush()
        command = [str(PTXAS), "-v", "--gpu-name=sm_90a", file.name, "-o", "/dev/null"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    variant = {"T": T, "causal": causal, "by_row": by_row}
    return {**variant, "ptxas": said, "shared": found.metadata.shared, "wgmma": "wgmma" in found.asm["ptx"]}


if __name__ == "__main__":
    for T, causal, by_row in ((64, True, False), (128, False, False), (128, True, False), (128, True, True)):
        print(json.dumps(compiled(int(sys.argv[1]), T, causal, by_row)))
