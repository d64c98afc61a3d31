"""The published architecture against Hugging Face's T5ForConditionalGeneration, through the table of names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import Vocabulary
from ablate.interop import t5 as interop
from ablate.nn.biases import BUCKETS, bucket
from ablate.nn.decoding import Decoding
from ablate.objectives.t5 import T5, T5Batch

transformers = pytest.importorskip("transformers")
modeling = pytest.importorskip("transformers.models.t5.modeling_t5")

V, CONTEXT = 90, 64
SHAPES = [
    # layers, width, heads, feed-forward, longest input, longest target; 150 is beyond the last bucket's border
    pytest.param(4, 48, 4, 2, 17, 9, id="even"),
    pytest.param(3, 32, 2, 4, 33, 33, id="odd"),
    pytest.param(2, 24, 3, 1, 150, 141, id="long"),
]


def build(layers: int, width: int, heads: int, feed_forward: int) -> T5:
    """Far from the start, where everything is nearly linear and a wrong order of operations could hide."""
    torch.manual_seed(0)
    backbone = Backbone(kind="published", layers=layers, width=width, heads=heads, feed_forward=feed_forward)
    model = T5(T5.Config(), backbone, Vocabulary(V), CONTEXT)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            alpha = 1.0 if "table" in path else 0.1
            parameter.add_(torch.randn_like(parameter), alpha=alpha)
    return model.eval()


def theirs_of(model: T5) -> Any:
    """Hugging Face's model with our weights."""
    settings = {name: value for name, value in interop.config(model).items() if name != "architectures"}
    theirs = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings))
    missing, unexpected = theirs.load_state_dict(interop.export(model), strict=False)
    assert not unexpected
    assert set(missing) <= set(interop.SAME_AS_EMBEDDING)
    return theirs.eval()


def padded(model: T5, longest_input: int, longest_target: int) -> T5Batch:
    rng = np.random.default_rng(1)

    def texts(longest: int) -> list[list[int]]:
        return [rng.integers(5, V + 100, length).tolist() for length in (longest, longest // 2, 3, longest - 1)]

    return model.text_to_text(texts(longest_input), texts(longest_target))


@pytest.mark.parametrize(("layers", "width", "heads", "feed_forward", "longest_input", "longest_target"), SHAPES)
def test_logits_losses_and_gradients_are_those_of_the_published_model(
    layers: int, width: int, heads: int, feed_forward: int, longest_input: int, longest_target: int
) -> None:
    ours = build(layers, width, heads, feed_forward)
    theirs = theirs_of(ours)
    batch = padded(ours, longest_input, longest_target)
    assert batch.documents_BT is not None
    assert batch.decoder_documents_BU is not None
    real = batch.decoder_documents_BU >= 0
    labels = torch.full_like(batch.decoder_inputs_BU, -100)
    labels[real] = batch.truths_M
    result = theirs(
        input_ids=batch.inputs_BT,
        attention_mask=(batch.documents_BT >= 0).long(),
        decoder_input_ids=batch.decoder_inputs_BU,
        decoder_attention_mask=real.long(),
        labels=labels,
    )
    losses = ours.losses(batch)
    assert (ours.predictions(batch)["lm"] - result.logits[real]).abs().max() <= 1e-5
    assert float(losses.loss.detach()) == pytest.approx(float(result.loss.detach()), abs=3e-6)

    losses.loss.backward()
    result.loss.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    restored = interop.restore(gradients, ours)
    named = dict(ours.named_parameters())
    assert restored.keys() == named.keys()
    for name, gradient in restored.items():
        found = named[name].grad
        assert found is not None
        assert gradient.any(), name
        assert torch.allclose(found, gradient, rtol=1e-4, atol=1e-6), (name, (found - gradient).abs().max())


def test_padding_may_stand_before_the_input() -> None:
    ours = build(3, 32, 2, 4)
    theirs = theirs_of(ours)
    batch = padded(ours, 13, 7)
    assert batch.documents_BT is not None
    documents = batch.documents_BT.flip(1)
    flipped = batch._replace(inputs_BT=batch.inputs_BT.flip(1), documents_BT=documents)
    with torch.no_grad():
        result = theirs(
            input_ids=flipped.inputs_BT,
            attention_mask=(documents >= 0).long(),
            decoder_input_ids=flipped.decoder_inputs_BU,
        )
        their_logits = result.logits.flatten(0, 1)[batch.predicted_M]
        assert (ours.predictions(flipped)["lm"] - their_logits).abs().max() <= 1e-5


def test_greedy_answers_are_the_published_models() -> None:
    ours = build(4, 48, 4, 2)
    theirs = theirs_of(ours)
    batch = padded(ours, 17, 3)
    assert batch.documents_BT is not None
    visible = batch.documents_BT.ge(0)
    answers = ours.generate(batch.inputs_BT, visible, 12, Decoding(greedy=True), torch.Generator())
    assert (answers < V).all()
    expected = theirs.generate(
        input_ids=batch.inputs_BT, attention_mask=visible.long(), max_new_tokens=12, do_sample=False, num_beams=1
    )[:, 1:]
    # A sentinel ends an answer here; up to there the two agree.
    for answer, other in zip(answers.tolist(), expected.tolist(), strict=True):
        ends = [place for place, token in enumerate(other) if token == 3 or token >= V]
        end = ends[0] if ends else len(other)
        assert answer[:end] == other[:end]


@pytest.mark.parametrize("both_sides", [True, False])
def test_buckets_are_the_published_ones(both_sides: bool) -> None:
    offset = torch.arange(-700, 701)
    theirs = modeling.T5Attention._relative_position_bucket(
        offset, bidirectional=both_sides, num_buckets=BUCKETS, max_distance=128
    )
    assert torch.equal(bucket(offset, both_sides=both_sides), theirs)


def test_export_is_loaded_by_from_pretrained_and_import_gives_the_same_bits(tmp_path: Path) -> None:
    ours = build(3, 32, 2, 4)
    (tmp_path / "config.json").write_text(json.dumps(interop.config(ours)))
    save_file(interop.export(ours), tmp_path / "model.safetensors", metadata={"format": "pt"})
    theirs, report = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    batch = padded(ours, 11, 5)
    assert batch.documents_BT is not None
    with torch.no_grad():
        logits = theirs(
            input_ids=batch.inputs_BT,
            attention_mask=(batch.documents_BT >= 0).long(),
            decoder_input_ids=batch.decoder_inputs_BU,
        ).logits.flatten(0, 1)[batch.predicted_M]
        assert (logits - ours.predictions(batch)["lm"]).abs().max() <= 1e-5

    told = interop.fields(theirs.config.to_dict())
    assert told == {
        "backbone.width": 32,
        "backbone.layers": 3,
        "backbone.heads": 2,
        "backbone.feed_forward": 4,
        "data.context": CONTEXT,
    }
    other = T5(T5.Config(), ours.backbone, ours.vocabulary, CONTEXT).eval()
    other.load_state_dict(interop.restore(theirs.state_dict(), other))
    assert torch.equal(other.predictions(batch)["lm"], ours.predictions(batch)["lm"])


def test_the_start_is_the_published_one() -> None:
    torch.manual_seed(0)
    backbone = Backbone(kind="published", layers=2, width=256, heads=8)
    ours = T5(T5.Config(), backbone, Vocabulary(400), CONTEXT)
    theirs = theirs_of(ours)
    theirs.init_weights()
    restored = interop.restore(theirs.state_dict(), ours)
    for name, parameter in ours.state_dict().items():
        few = parameter.numel() < 1000
        assert float(parameter.std()) == pytest.approx(float(restored[name].std()), rel=0.3 if few else 0.03, abs=1e-9), name


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("feed_forward_proj", "gated-gelu", "'relu'"),
        ("tie_word_embeddings", False, "True"),
        ("relative_attention_num_buckets", 64, "32"),
        ("d_kv", 64, "d_model / num_heads = 32 / 2"),
        ("d_ff", 65, "multiple of d_model = 32"),
        ("num_decoder_layers", 7, "num_layers = 2 or one less"),
    ],
)
def test_other_networks_are_refused(field: str, value: object, says: str) -> None:
    described = interop.config(build(3, 32, 2, 4)) | {field: value}
    with pytest.raises(ConfigError, match=f"{field} = .*{says}"):
        interop.fields(described)


def test_weights_that_do_not_fit_are_named() -> None:
    ours = build(3, 32, 2, 4)
    state = interop.export(ours)
    with pytest.raises(ConfigError, match=r"no weights named decoder\.block\.7"):
        interop.restore(state | {"decoder.block.7.layer.0.layer_norm.weight": torch.ones(32)}, ours)
    with pytest.raises(ConfigError, match=r"lm_head\.weight differs from shared\.weight"):
        interop.restore(state | {"lm_head.weight": torch.zeros_like(state["shared.weight"])}, ours)
    with pytest.raises(KeyError, match=r"encoder\.final_layer_norm\.weight"):
        interop.restore({name: tensor for name, tensor in state.items() if name != "encoder.final_layer_norm.weight"}, ours)
