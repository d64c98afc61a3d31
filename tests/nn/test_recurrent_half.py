"""An LSTM in half precision runs on every processor: with its kernels, or in float32 where there are none."""

from __future__ import annotations

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from ablate.nn import recurrent
from ablate.nn.recurrent import Lstm


@pytest.mark.parametrize("packed", [False, True])
def test_without_kernels_half_precision_is_float32(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrent, "cpu_has_bf16", lambda: False)
    torch.manual_seed(0)
    lstm = Lstm(4, 6, batch_first=True)
    x = pack_sequence([torch.randn(3, 4), torch.randn(2, 4)]) if packed else torch.randn(2, 3, 4)
    exact, (h, c) = lstm(x)
    with torch.autocast("cpu", torch.bfloat16):
        half, state = lstm(x.to(torch.bfloat16) if packed else x)
        again, _ = lstm(x, (h.bfloat16(), c.bfloat16()))
    assert half.data.dtype == again.data.dtype == torch.float32
    assert torch.allclose(half.data, exact.data, atol=0.02 if packed else 0.0)
    assert state[0].shape == h.shape
