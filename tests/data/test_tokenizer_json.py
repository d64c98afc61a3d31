"""tokenizer.json: rearranged when read, spelled as others spell it when written, refused when it is not one."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError, Data
from ablate.data import tokenizer_json, tokenizer_trial
from ablate.data.text import fingerprints, prepare
from ablate.data.tokenizer import SPECIAL, Tokenizer, train

KINDS = ("wordpiece", "bpe", "unigram", "word", "byte", "char")
HERE = Path("tokenizer.json")
SENTENCES = [
    f"The {a} walks by the {b}'s (river) no. {i}" for i, (a, b) in enumerate([("fox", "dog"), ("Hen", "naïve cat")] * 60)
]


@cache
def trained(kind: str) -> Tokenizer:
    return train(SENTENCES, kind, 300, "f")


def rotated(content: dict[str, Any], by: int) -> dict[str, Any]:
    """The same tokenizer with every id shifted around."""
    model, size = dict(content["model"]), len(content["model"]["vocab"])
    if isinstance(model["vocab"], list):
        model["vocab"] = [model["vocab"][(i - by) % size] for i in range(size)]
        model["unk_id"] = (model["unk_id"] + by) % size
    else:
        model["vocab"] = {name: (number + by) % size for name, number in model["vocab"].items()}
    added = [{**token, "id": (token["id"] + by) % size} for token in content["added_tokens"]]
    return {**content, "model": model, "added_tokens": added}


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_come_first_wherever_they_stood(kind: str) -> None:
    ours = trained(kind)
    content = tokenizer_json.portable(ours.content(), [2], [3], [])
    found, order = tokenizer_json.arranged(rotated(content, 7), HERE)
    size = ours.vocabulary.size
    assert sorted(order) == list(range(size))
    assert order[:5] == [7, 8, 9, 10, 11]
    again = Tokenizer(tokenizer_json.loaded(found, HERE), kind, "f")
    assert again.tokens(range(5)) == list(SPECIAL)
    names = tokenizers.Tokenizer.from_str(json.dumps(rotated(content, 7)))
    for sentence in [*SENTENCES[:3], "[MASK] or [UNK]"]:
        ids = again.encode(sentence)
        assert all(i == 1 or i >= 5 for i in ids)
        if "[" not in sentence:
            assert [order[i] for i in ids] == names.encode(sentence, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(st.text("abcdefghinorstvwxy T(.)'é1[]\n", max_size=25))
def test_what_is_written_makes_the_same_ids(kind: str, text: str) -> None:
    ours = trained(kind)
    content = tokenizer_json.portable(ours.content(), [2], [3, 3], ["<extra_id_0>", "<extra_id_1>"])
    written = tokenizer_json.loaded(content, HERE)
    assert written.encode(text).ids == [2, *ours.encode(text), 3, 3]
    assert written.get_vocab_size() == ours.vocabulary.size + 2
    assert written.token_to_id("<extra_id_1>") == ours.vocabulary.size + 1
    read, order = tokenizer_json.arranged(content, HERE)
    assert read == ours.content()
    assert order == list(range(ours.vocabulary.size))


def test_differences_are_named() -> None:
    one, other = trained("wordpiece").content(), trained("wordpiece").content()
    assert tokenizer_json.difference(one, other) is None
    shorter = {**one, "model": {**one["model"], "vocab": dict(list(one["model"]["vocab"].items())[:-1])}}
    size = trained("wordpiece").vocabulary.size
    assert tokenizer_json.difference(shorter, other) == f"{size - 1} tokens there and {size} in the run"
    swapped = [*list(one["model"]["vocab"])[:5], "b", "a"]
    renamed = {**one, "model": {**one["model"], "vocab": {name: i for i, name in enumerate(swapped)}}}
    third = list(other["model"]["vocab"])[5]
    assert tokenizer_json.difference(renamed, other) == f"id 5 is 'b' there and {third!r} in the run"
    cased = {**one, "normalizer": {**one["normalizer"], "lowercase": False}}
    assert tokenizer_json.difference(cased, other) == "its normalizer is another"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"type": "BPE", "vocab": {}, "merges": []}}, "its model is 'BPE', but must be WordPiece, byte-level BPE"),
        ({"added_tokens": [{"id": 300, "content": "<user>"}]}, "its added token '<user>' is not one of"),
        ({"model": {"type": "WordPiece", "vocab": {"[PAD]": 0}}}, r"it has no token \[UNK\], \[CLS\], \[SEP\], \[MASK\]"),
        (
            {"model": {"type": "WordPiece", "vocab": {**{name: i for i, name in enumerate(SPECIAL)}, "a": 9}}},
            "its 6 tokens do not have the ids 0 to 5",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tokenizer_json.arranged({**trained("wordpiece").content(), **change}, HERE)


ADDED = "must have a text as `content` and a whole number as `id`"
PAIRS = "must hold pairs of a token and its score"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"added_tokens": "abc"}, "added_tokens = 'abc', but must be a list"),
        ({"added_tokens": {"id": 0}}, "added_tokens = {'id': 0}, but must be a list"),
        ({"added_tokens": [1]}, f"its added token 1 {ADDED}"),
        ({"added_tokens": ["abc"]}, f"its added token 'abc' {ADDED}"),
        ({"added_tokens": [{"content": "[PAD]"}]}, f"its added token {{'content': '[PAD]'}} {ADDED}"),
        ({"added_tokens": [{"content": "[PAD]", "id": "0"}]}, ADDED),
        ({"added_tokens": [{"content": "[PAD]", "id": 0.5}]}, ADDED),
        ({"added_tokens": [{"content": ["[PAD]"], "id": 0}]}, ADDED),
        ({"vocab": {"a": "0"}}, "its token 'a' has the id '0', but must have a whole number, 0 or more"),
        ({"vocab": {"a": None}}, "its token 'a' has the id None"),
        ({"vocab": {"a": [0]}}, "its token 'a' has the id [0]"),
        ({"vocab": {"a": True}}, "its token 'a' has the id True"),
        ({"vocab": {"a": -1}}, "its token 'a' has the id -1"),
        ({"vocab": [1, 2, 3]}, f"its vocabulary holds 1, but {PAIRS}"),
        ({"vocab": ["a"]}, f"its vocabulary holds 'a', but {PAIRS}"),
        ({"vocab": [["a"]]}, PAIRS),
        ({"vocab": [["a", "b"]]}, PAIRS),
        ({"vocab": [[["a"], 0.5]]}, PAIRS),
        ({"vocab": None}, "not a tokenizer: it has no vocabulary"),
    ],
)
def test_entries_of_another_kind_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = trained("unigram").content()
    model = content["model"] | {"vocab": change.pop("vocab", content["model"]["vocab"])}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**content, "model": model, **change}))
    with pytest.raises(ConfigError) as caught:
        tokenizer_json.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_tokens_that_no_bytes_spell_continue_no_word() -> None:
    """A byte-level vocabulary made elsewhere may hold them; no text gives them."""
    content = trained("bpe").content()
    vocabulary = {**content["model"]["vocab"], "": 300, "\u6f22": 301}
    model = tokenizer_json.loaded({**content, "model": {**content["model"], "vocab": vocabulary}}, HERE)
    assert not Tokenizer(model, "bpe", "f").vocabulary.continues(np.arange(300, model.get_vocab_size())).any()


def nested(depth: int) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "NFC"}
    for _ in range(depth):
        part = {"type": "Sequence", "normalizers": [part]}
    return part


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "b" * 20}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalizer": nested(20)}, "its parts are nested more than 32 deep"),
        ({"normalizer": nested(300)}, "its parts are nested more than 32 deep"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 3}},
            "its replacements make up to 8e+03 characters of one",
        ),
        (
            {"decoder": {"type": "Sequence", "decoders": [REPLACE] * 9}},
            "its replacements make up to 5.12e+11 characters of one",
        ),
        ({"normalizer": {"type": "Prepend", "prepend": "b" * 1001}}, "its replacements make up to 1e+03 characters of one"),
    ],
)
def test_what_exhausts_time_or_memory_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(trained("wordpiece").content() | change))
    with pytest.raises(ConfigError) as caught:
        tokenizer_json.read(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_and_files_have_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = trained("wordpiece").content()
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**content, "model": {**content["model"], "max_input_chars_per_word": 1 << 60}}))
    with pytest.raises(ConfigError, match="max_input_chars_per_word = 1152921504606846976, but must be at most 1,000"):
        tokenizer_json.read(path)
    monkeypatch.setattr(tokenizer_json, "LARGEST", 100)
    with pytest.raises(ConfigError, match=r"bytes are too many for a tokenizer, must be at most 100"):
        tokenizer_json.read(path)
    path.write_text("[" * 100_000)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="not a JSON file"):
        tokenizer_json.read(path)


SPLIT = {"type": "Split", "behavior": "Isolated", "invert": False}
PREFIXED = {"type": "BPE", "vocab": {"a": 0, "é": 1, "aé": 2}, "continuing_subword_prefix": "#", "merges": [["a", "é"]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}},
            "the tokenizers library ends with SIG",
        ),
        ({"model": PREFIXED}, "the tokenizers library ends with SIG"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "Cannot parse precompiled_charsmap"),
        ({"pre_tokenizer": {"type": "FixedLength", "length": 0}}, "chunk size must be non-zero"),
        ({"pre_tokenizer": {**SPLIT, "pattern": {"Regex": "(a+)+$"}}}, "retry-limit-in-match over"),
        ({"pre_tokenizer": {**SPLIT, "pattern": {"Regex": "(" * 9999 + ")" * 9999}}}, "parse depth limit over"),
        ({"model": {"type": "Unigram", "unk_id": None, "vocab": [["a", 0.0]]}}, "`unk_id` is missing"),
    ],
)
def test_what_ends_or_panics_the_library_is_refused(change: dict[str, Any], message: str) -> None:
    """In this process, some of these would end the tests."""
    with pytest.raises(ConfigError, match=r"tokenizer\.json: not a tokenizer that can be read") as caught:
        tokenizer_json.loaded(trained("wordpiece").content() | change, HERE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_trial_that_does_not_end_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    endless = tmp_path / "endless.py"
    endless.write_text("while True: pass")
    monkeypatch.setattr(tokenizer_trial, "__file__", str(endless))
    monkeypatch.setattr(tokenizer_json, "PATIENCE", 0.2)
    with pytest.raises(ConfigError, match=r"takes more than 0\.2 seconds"):
        tokenizer_json.loaded(trained("wordpiece").content(), HERE)


def test_a_panic_on_a_text_is_one_line() -> None:
    """The pattern is harmless on the text of the trial."""
    content = trained("wordpiece").content() | {"pre_tokenizer": {**SPLIT, "pattern": {"Regex": "(z+)+$"}}}
    tokenizer = Tokenizer(tokenizer_json.loaded(content, HERE), "wordpiece", "f")
    with pytest.raises(ConfigError, match=r"the tokenizer 'wordpiece' cannot encode this text \(.*retry-limit") as caught:
        tokenizer.encode("z" * 50 + "b")
    assert "\n" not in str(caught.value)


def test_errors_of_our_own_are_not_the_librarys() -> None:
    for kind in (KeyboardInterrupt, TypeError):
        with pytest.raises(kind), tokenizer_json.library("what"):
            raise kind


def test_what_the_library_cannot_read_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a tokenizer that can be read"):
        tokenizer_json.loaded({**trained("wordpiece").content(), "normalizer": {"type": "Nothing"}}, HERE)


class TestAsARunsTokenizer:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Data:
        corpus = tmp_path / "lines.txt"
        corpus.write_text("\n".join(f"{sentence} {i}" for i, sentence in enumerate(SENTENCES * 5)), encoding="utf-8")
        self.write(tmp_path / "given", "wordpiece")
        return Data(corpus=f"files:{corpus}", unit="line", tokenizer=f"folder:{tmp_path / 'given'}", context=16)

    @staticmethod
    def write(folder: Path, kind: str) -> None:
        folder.mkdir(exist_ok=True)
        content = tokenizer_json.portable(trained(kind).content(), [2], [3], [])
        (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")

    def test_it_is_used_and_not_trained(self, data: Data) -> None:
        text = prepare(data)
        assert text.tokenizer.kind == "wordpiece"
        assert text.vocabulary.size == trained("wordpiece").vocabulary.size
        assert text.vocabulary.spelled == trained("wordpiece").vocabulary.spelled
        assert text.split("train").sentence(0).tolist() in [
            trained("wordpiece").encode(f"{s} {i}") for i, s in enumerate(SENTENCES)
        ]
        # Opened again, from the cache.
        assert prepare(data).tokenizer.encode(SENTENCES[0]) == text.tokenizer.encode(SENTENCES[0])

    def test_it_is_known_by_its_content(self, data: Data, tmp_path: Path) -> None:
        before = fingerprints(data)
        self.write(tmp_path / "copy", "wordpiece")
        copied = Data(corpus=data.corpus, unit="line", tokenizer=f"folder:{tmp_path / 'copy'}", vocabulary=99, context=16)
        assert fingerprints(copied) == before
        self.write(tmp_path / "given", "bpe")
        assert fingerprints(data)["tokenizer"] != before["tokenizer"]
        assert prepare(data).tokenizer.kind == "bpe"

    def test_a_folder_without_one_is_refused(self, data: Data, tmp_path: Path) -> None:
        missing = Data(corpus=data.corpus, tokenizer=f"folder:{tmp_path / 'nowhere'}")
        for use in (fingerprints, prepare):
            with pytest.raises(
                ConfigError, match=r"data\.tokenizer = 'folder:.*nowhere', but there is no file .*tokenizer\.json"
            ):
                use(missing)

    @pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-this-name"])
    def test_a_name_that_no_system_takes_is_refused(self, data: Data, name: str) -> None:
        with pytest.raises(
            ConfigError, match=r"data\.tokenizer = 'folder:.*(File name too long|no such home folder)"
        ) as caught:
            fingerprints(Data(corpus=data.corpus, tokenizer=f"folder:{name}"))
        assert "\n" not in str(caught.value)

    def test_a_damaged_one_is_refused(self, data: Data, tmp_path: Path) -> None:
        (tmp_path / "given" / "tokenizer.json").write_text("{")
        with pytest.raises(ConfigError, match=r"tokenizer\.json: not a JSON file"):
            prepare(data)
