"""The published architecture against Hugging Face's GPT2LMHeadModel, through the tables of `ablate.interop.gpt2`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate.config import Backbone, ConfigError, RunConfig, override
from ablate.data.tokenizer import Vocabulary
from ablate.interop import gpt2
from ablate.nn.published.gpt2 import INITIAL_SD
from ablate.objectives.gpt import Gpt, GptBatch

transformers = pytest.importorskip("transformers")

SHAPES = [
    # backbone, V, context, rows, T
    (Backbone(width=48, layers=3, heads=4, kind="published"), 120, 32, 5, 31),
    (Backbone(width=40, layers=2, heads=8, feed_forward=3, kind="published"), 77, 19, 3, 19),
    (Backbone(width=21, layers=1, heads=3, feed_forward=2, kind="published"), 33, 9, 1, 7),
    (Backbone(width=64, layers=4, heads=1, kind="published"), 301, 50, 2, 1),
]


def build(backbone: Backbone, V: int, context: int) -> Gpt:
    torch.manual_seed(0)
    model = Gpt(Gpt.Config(), backbone, Vocabulary(V), context)
    with torch.no_grad():
        # Far from the start, where everything is nearly linear and a wrong order of operations could hide.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def published(ours: Gpt) -> torch.nn.Module:
    """Hugging Face's model with our weights, by our config.json and our names; nothing missing, nothing left over."""
    description = gpt2.config(ours)
    assert description.pop("architectures")[0] == gpt2.ARCHITECTURES[0]
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**description))
    missing, unexpected = theirs.load_state_dict(gpt2.export(ours), strict=False)
    assert not unexpected
    assert missing == ["lm_head.weight"]
    assert theirs.lm_head.weight is theirs.transformer.wte.weight
    return theirs.train()


def agree(ours: Tensor, theirs: Tensor) -> bool:
    """To 1e-4 relative with an absolute floor of 1e-6."""
    return bool(((ours - theirs).abs() <= torch.clamp(1e-4 * theirs.abs(), min=1e-6)).all())


@pytest.mark.parametrize(("backbone", "V", "context", "rows", "T"), SHAPES)
def test_logits_loss_and_gradients_are_those_of_the_published_model(
    backbone: Backbone, V: int, context: int, rows: int, T: int
) -> None:
    ours = build(backbone, V, context)
    theirs = published(ours)
    window = torch.from_numpy(np.random.default_rng(0).integers(0, V, (rows, T + 1)))
    batch = GptBatch(window[:, :-1], window[:, 1:], None, rows * T, rows * T)
    result = theirs(input_ids=batch.inputs_BT)
    loss = torch.nn.functional.cross_entropy(result.logits.flatten(0, 1), batch.targets_BT.flatten())
    own = ours.losses(batch).loss
    assert (ours.predictions(batch)["lm"] - result.logits.flatten(0, 1)).abs().max() <= 1e-5
    assert float((own - loss).detach().abs()) <= 3e-6
    if T > 1:
        shifted = float(theirs(input_ids=batch.inputs_BT, labels=batch.inputs_BT).loss.detach())
        inner = GptBatch(batch.inputs_BT[:, :-1], batch.inputs_BT[:, 1:], None, 0, 0)
        assert float(ours.losses(inner).loss.detach()) == pytest.approx(shifted, abs=3e-6)

    own.backward()
    loss.backward()
    their_gradients = {name: p.grad for name, p in theirs.named_parameters()}
    our_gradients = gpt2.restore(their_gradients, ours)
    assert our_gradients.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        assert agree(parameter.grad, our_gradients[name]), name


@pytest.mark.parametrize(("backbone", "V", "context", "rows", "T"), SHAPES[:3])
def test_right_padding_changes_neither(backbone: Backbone, V: int, context: int, rows: int, T: int) -> None:
    ours = build(backbone, V, context)
    theirs = published(ours).eval()
    rng = np.random.default_rng(1)
    tokens = torch.from_numpy(rng.integers(5, V, (rows, T)))
    visible = torch.arange(T) < torch.from_numpy(rng.integers(2, T + 1, (rows, 1)))
    tokens[~visible] = 0
    with torch.no_grad():
        hidden = ours.encode(tokens, visible)
        result = theirs(input_ids=tokens, attention_mask=visible.long(), output_hidden_states=True)
        assert (hidden - result.hidden_states[-1])[visible].abs().max() <= 1e-5
        assert (ours.network.logits(hidden) - result.logits)[visible].abs().max() <= 1e-5
        scored = visible.clone()
        scored[:, 0] = False
        nats = result.logits.log_softmax(dim=-1)[:, :-1].gather(2, tokens[:, 1:, None])[:, :, 0]
        expected = (nats * scored[:, 1:]).sum(dim=1)
        assert torch.allclose(ours.score(tokens, visible, scored), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("backbone", "V", "context", "rows", "T"), SHAPES[:3])
def test_loss_and_gradients_of_padded_rows(backbone: Backbone, V: int, context: int, rows: int, T: int) -> None:
    ours = build(backbone, V, context)
    theirs = published(ours)
    rng = np.random.default_rng(2)
    tokens = torch.from_numpy(rng.integers(5, V, (rows, T)))
    visible = torch.arange(T) < torch.from_numpy(rng.integers(2, T + 1, (rows, 1)))
    asked = visible[:, 1:]
    logits = ours.network.logits(ours.encode(tokens.masked_fill(~visible, 0), visible))[:, :-1]
    own = torch.nn.functional.cross_entropy(logits[asked], tokens[:, 1:][asked])
    labels = tokens.masked_fill(~visible, -100)
    loss = theirs(input_ids=tokens.masked_fill(~visible, 0), attention_mask=visible.long(), labels=labels).loss
    assert float((own - loss).detach().abs()) <= 3e-6
    own.backward()
    loss.backward()
    our_gradients = gpt2.restore({name: p.grad for name, p in theirs.named_parameters()}, ours)
    for name, parameter in ours.named_parameters():
        assert agree(parameter.grad, our_gradients[name]), name


def test_export_and_restore_are_inverse() -> None:
    model = build(*SHAPES[1][:3])
    back = gpt2.restore(gpt2.export(model), model)
    assert back.keys() == model.state_dict().keys()
    assert all(torch.equal(back[name], tensor) for name, tensor in model.state_dict().items())
    assert all(tensor.is_contiguous() for tensor in gpt2.export(model).values())


def test_the_names_of_the_first_release_are_read() -> None:
    """Without `transformer.`, with the causal masks as buffers, with a copy of the embedding as output matrix."""
    model = build(*SHAPES[2][:3])
    exported = gpt2.export(model)
    released = {name.removeprefix("transformer."): tensor for name, tensor in exported.items()}
    released |= {"h.0.attn.bias": torch.ones(1, 1, 9, 9), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    released["lm_head.weight"] = released["wte.weight"].clone()
    back = gpt2.restore(released, model)
    assert all(torch.equal(back[name], tensor) for name, tensor in model.state_dict().items())


def test_weights_that_are_not_gpt2s_are_refused() -> None:
    model = build(*SHAPES[2][:3])
    exported = gpt2.export(model)
    with pytest.raises(ConfigError, match=r"GPT-2 of 1 layers has no weights named h\.7\.ln_1\.weight"):
        gpt2.restore({**exported, "transformer.h.7.ln_1.weight": torch.ones(21)}, model)
    with pytest.raises(KeyError, match=r"ln_f\.bias"):
        gpt2.restore({name: tensor for name, tensor in exported.items() if not name.endswith("ln_f.bias")}, model)
    with pytest.raises(ConfigError, match=r"lm_head\.weight differs"):
        gpt2.restore({**exported, "lm_head.weight": exported["transformer.wte.weight"] + 1}, model)


def test_config_json_says_what_the_run_must_be() -> None:
    model = build(*SHAPES[1][:3])
    found = gpt2.fields(gpt2.config(model))
    run = override(RunConfig(objective=Gpt.Config(), backbone=Backbone(kind="published")), found)
    assert (run.backbone, run.data.context) == (model.backbone, model.context)
    small = gpt2.fields(transformers.GPT2Config().to_dict())
    assert small == {
        "backbone.width": 768,
        "backbone.layers": 12,
        "backbone.heads": 12,
        "backbone.feed_forward": 4,
        "data.context": 1024,
    }


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"activation_function": "relu"}, "activation_function = 'relu', but GPT-2 has 'gelu_new'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx = True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings = False"),
        ({"n_inner": 100}, "n_inner = 100, but must be a multiple of n_embd = 40"),
    ],
)
def test_variants_of_gpt2_are_refused(changed: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        gpt2.fields({**gpt2.config(build(*SHAPES[1][:3])), **changed})


def test_weights_start_as_published() -> None:
    """Radford et al. 2019, section 2.3: the matrices that write to the residual path start 1 / sqrt(2 L) smaller."""
    torch.manual_seed(0)
    backbone = Backbone(width=192, layers=3, kind="published")
    model = Gpt(Gpt.Config(), backbone, Vocabulary(400), 64)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            assert torch.equal(parameter, torch.full_like(parameter, float("norm.weight" in name))), name
            continue
        smaller = 6**-0.5 if name.endswith(("attention.out.weight", "down.weight")) else 1.0
        assert float(parameter.detach().std()) == pytest.approx(INITIAL_SD * smaller, rel=0.03), name
