"""The files of kind `readers`: one of each that the program reads, and how it reads them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import safetensors.torch
import torch

from ablate.data import tokenizer_json
from ablate.data.corpora.hub import Hub
from ablate.data.tokenizer import train
from ablate.disk import cache, claims, digests, manifest
from ablate.interop import folder as checkpoint
from ablate.kernels.bench import timing
from ablate.kernels.tuning import choices
from ablate.nn.attention.backends import Call
from ablate.records import RECORD, untimed, verified
from ablate.report import evidence
from ablate.study import collect, looks
from ablate.study.ledger import Ledger
from ablate.study.options import Options, set_up
from ablate.study.run import run_inline
from tests.faults.operations import reports
from tests.faults.readers import Reader
from tests.study.planted import STUDY

COMMIT = "0123456789abcdef"


def readers(folder: Path) -> dict[str, Reader]:
    """Write all files into the folder; name -> how each is read."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["ABLATE_CACHE"] = str(folder / "cache")
    return {**_of_a_study(folder), **_of_the_disk(folder), **_of_models(folder)}


def _of_a_study(folder: Path) -> dict[str, Reader]:
    options = Options(tier="smoke", seeds=2, root=folder / "runs", reports=folder / "reports")
    with mock.patch.object(collect, "compile_report", create=True):
        run_inline(STUDY, options)
    setup = set_up(STUDY, options)
    record = setup.store.folder(STUDY.base) / RECORD
    (report,) = reports(folder)
    registered = next(setup.folder.glob("looks-*.json"))
    found = {name: Reader(report / name, lambda: _evidence(report), True) for name in (*evidence.FILES, evidence.SAMPLES)}
    return found | {
        "record": Reader(record, lambda: untimed(verified(record.read_bytes(), record)), True),
        "looks": Reader(registered, lambda: looks.read(setup), True),
        "ledger": Reader(setup.folder / "optuna.journal", lambda: _ledger(setup), False),
    }


def _of_the_disk(folder: Path) -> dict[str, Reader]:
    entry, held, big = folder / "entry", folder / "held", folder / "big"
    entry.mkdir()
    for name in ("one", "two"):
        (entry / name).write_text(name)
    manifest.seal(entry)
    with claims.hold(held):
        pass
    big.write_bytes(bytes(100))
    digests.RESTED = -1.0
    digests.sha256(big, cache.memory())
    remembered = next(cache.memory().iterdir())
    hub = Hub("some/thing", "text")
    answer = mock.Mock(return_value=mock.Mock(sha=COMMIT))
    with mock.patch("huggingface_hub.HfApi.dataset_info", answer):
        hub.describe()
    pinned = next((folder / "cache" / "hub").iterdir())

    def described() -> Any:
        with mock.patch("huggingface_hub.HfApi.dataset_info", answer):
            return hub.describe()

    return {
        "manifest": Reader(entry / manifest.FILE, lambda: manifest.check(entry, cache.memory()), True),
        "claim": Reader(held / claims.FILE, lambda: _holder(held), False),
        "digest": Reader(remembered, lambda: digests.sha256(big, cache.memory()), True),
        "hub": Reader(pinned, described, True),
    }


def _of_models(folder: Path) -> dict[str, Reader]:
    model, tuned, partial = folder / "model", folder / "choices.json", folder / "session.json"
    model.mkdir()
    weights, tokenizer, config = (model / name for name in (checkpoint.WEIGHTS, checkpoint.TOKENIZER, checkpoint.CONFIG))
    weights.write_bytes(safetensors.torch.save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4)}))
    train(["ab bc cd abc"] * 50, "wordpiece", 40, "0" * 16).save(tokenizer)
    config.write_text(json.dumps({"hidden_size": 16, "layers": 2}))
    call = Call(dtype="float32", B=2, H=2, T=8, S=8, K=16, value_width=16, mask="causal")
    machine = choices.machine_here(torch.device("cpu"))
    choice = choices.Choice(
        call=call, machine=machine, threads=1, backend="math", static="math", seconds={"math": 1.0}, floor=0.1, wrong={}
    )
    choices.save([choice], tuned)
    timing.save([], partial)
    return {
        "safetensors": Reader(weights, lambda: _checked(checkpoint.read_weights(model)), False),
        "tokenizer": Reader(tokenizer, lambda: _tokenizer(tokenizer), False),
        "config": Reader(config, lambda: checkpoint.size(checkpoint.read_config(model), "hidden_size", 1), False),
        "choices": Reader(tuned, lambda: len(choices.load(tuned)), False),
        "timings": Reader(partial, lambda: timing.load(partial), False),
    }


def _evidence(report: Path) -> Any:
    found = evidence.read(report)
    # Reading is not enough: the frames must hold what the report asks of them.
    return found.specification, found.numbers.to_dict("list"), found.runs.to_dict("list"), list(found.samples)


def _ledger(setup: Any) -> None:
    ledger = Ledger(setup.folder, setup.study, setup.store)
    ledger.catch_up(setup.plan().cells)


def _holder(folder: Path) -> Any:
    holder = claims.holder_of(folder)
    with mock.patch("signal.pidfd_send_signal"):
        # It may be this very process.
        ended = holder is not None and holder.end()
    return holder and (
        ended,
        str(holder),
        holder.here,
        holder.stopped,
        holder.orphaned,
        f"{holder.silent:.0f} {holder.idle:.0f}",
    )


def _checked(state: Any) -> None:
    checkpoint.check_numbers(state)


def _tokenizer(path: Path) -> Any:
    content, order = tokenizer_json.arranged(tokenizer_json.read(path), path)
    return tokenizer_json.loaded(content, path).get_vocab_size(), tokenizer_json.kind_of(content, path), len(order)
