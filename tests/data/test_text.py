"""A prepared text against the corpus tokenized document by document."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from ablate import sources
from ablate.config import ConfigError, Data
from ablate.data import splits, tokenizer_json
from ablate.data import text as text_module
from ablate.data.corpora import open_corpus
from ablate.data.document import Document
from ablate.data.splits import SPLITS, split_of
from ablate.data.text import fingerprints, prepare, tokenizer_of
from ablate.data.tokenizer import Tokenizer
from ablate.seeds import generator

WORDS = ("river", "mountain", "valley", "forest", "meadow", "harbour", "island", "desert", "glacier", "canyon")


@pytest.fixture
def data(tmp_path: Path) -> Data:
    rng = generator(0, "test")
    path = tmp_path / "text.jsonl"
    with open(path, "w") as lines:
        for i in range(700):
            label = ("wet", "dry")[i % 2]
            text = " ".join(f"The {' '.join(rng.choice(WORDS, 4))} number {i}." for _ in range(1 + i % 4))
            lines.write(json.dumps({"text": text, "label": label} if i % 5 else {"text": text}) + "\n")
    return Data(corpus=f"files:{path}", tokenizer="wordpiece", vocabulary=200, context=16)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "byte"])
def test_token_files_are_the_corpus_document_by_document(data: Data, kind: str) -> None:
    data = Data(corpus=data.corpus, tokenizer=kind, vocabulary=300, context=16)  # type: ignore[arg-type]
    text = prepare(data)
    documents = list(open_corpus(data).documents())
    counts = np.zeros(text.vocabulary.size, np.int64)
    for split in SPLITS:
        store = text.split(split)
        own = [document for document in documents if split_of(document) == split]
        assert store.documents == len(own) > 10
        assert store.sentences == sum(len(document.sentences) for document in own)
        sentence = itertools.count()
        for number, document in enumerate(own):
            ids = [text.tokenizer.encode(one) for one in document.sentences]
            assert store.document(number).tolist() == list(itertools.chain(*ids))
            assert [store.sentence(next(sentence)).tolist() for _ in ids] == ids
            label = store.labels[number]
            assert (store.label_names[label] if label >= 0 else "") == document.label
            if split == "train":
                for one in ids:
                    counts += np.bincount(one, minlength=len(counts))
        assert list(text.documents(split)) == own
    assert np.array_equal(text.unigram_counts(), counts)
    shares = counts[counts > 0] / counts.sum()
    assert text.facts()["unigram entropy"] == pytest.approx(-(shares * np.log(shares)).sum())
    assert text.facts()["documents"] == 700


def test_the_tokenizer_sees_the_training_split_only(tmp_path: Path) -> None:
    """Letters that only held-out documents have are unknown to it."""
    documents = [f"{chr(0x4E00 + i)} common words follow here. And here again {i}." for i in range(600)]
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(documents))
    text = prepare(Data(corpus=f"files:{path}", tokenizer="char", context=8))
    known = set(text.tokenizer.tokens(range(text.vocabulary.size)))
    for split in SPLITS:
        letters = {document.sentences[0][0] for document in text.documents(split)}
        assert letters <= known if split == "train" else not letters & known


def test_a_second_preparation_opens_what_the_first_built(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(data)

    def never(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(text_module, "_build", never)
    second = prepare(data)
    assert second.tokenizer.fingerprint == first.tokenizer.fingerprint
    assert np.array_equal(second.split("test").tokens, first.split("test").tokens)


@pytest.mark.parametrize("given", [False, True])
def test_another_share_or_other_code_builds_anew(
    given: bool, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under a tokenizer that was given, which knows nothing of either."""
    first = prepare(data)
    if given:
        write(first.tokenizer, tmp_path / "given")
        data = dataclasses.replace(data, tokenizer=f"folder:{tmp_path / 'given'}")
        first = prepare(data)
    with monkeypatch.context() as patch:
        patch.setattr(splits, "HELD_OUT_SHARE", 0.2)
        patch.setattr(text_module, "RULE", "sha256/0.2")
        other = prepare(data)
    assert other.split("test").documents > 2 * first.split("test").documents
    real, folders = sources.text, {first.folder, other.folder}
    for statement in (b"how = 1\n", b"how = 2\n"):
        monkeypatch.setattr(sources, "text", lambda path, more=statement: real(path) + more * (path.stem == "token_store"))
        folders |= {prepare(data).folder, prepare(data).folder}
    assert len(folders) == 4


def test_the_tokenizer_of_an_earlier_run_outlives_a_change_of_the_code(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    found, earlier = fingerprints(data), prepare(data)
    monkeypatch.setattr(text_module, "CODE", text_module.CODE[1:])
    assert fingerprints(data)["tokenizer"] != found["tokenizer"]
    Path(data.corpus.removeprefix("files:")).unlink()
    again = tokenizer_of(data, found)
    assert again.fingerprint == found["tokenizer"]
    assert again.content() == earlier.tokenizer.content()


def write(tokenizer: Tokenizer, folder: Path) -> None:
    folder.mkdir()
    content = tokenizer_json.portable(tokenizer.content(), [2], [3], [])
    (folder / tokenizer_json.FILE).write_text(json.dumps(content), encoding="utf-8")


def test_building_twice_gives_equal_bytes(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []
    for name in ("one", "two"):
        monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / name))
        folders.append(prepare(data).folder)
    files = sorted(path.name for path in folders[0].iterdir())
    assert files == sorted(path.name for path in folders[1].iterdir())
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in files)


def test_fingerprints_are_had_without_building(data: Data, cache: Path) -> None:
    found = fingerprints(data)
    assert not (cache / "text").exists()
    text = prepare(data)
    assert (
        found == fingerprints(data) == {"corpus": text.facts()["corpus fingerprint"], "tokenizer": text.tokenizer.fingerprint}
    )
    other = fingerprints(Data(corpus=data.corpus, tokenizer="bpe", vocabulary=300, context=16))
    assert other["corpus"] == found["corpus"]
    assert other["tokenizer"] != found["tokenizer"]
    # The context cuts windows, not tokens.
    assert fingerprints(Data(corpus=data.corpus, vocabulary=200, context=32)) == found


def test_a_text_smaller_than_a_window_says_what_it_has_and_needs(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"Some words {i}." for i in range(60)))
    message = r"its validation split has \d+ tokens in \d documents, but one window needs data.context = 64 tokens"
    with pytest.raises(ConfigError, match=message):
        prepare(Data(corpus=f"files:{path}", vocabulary=64))


def test_one_document_alone_is_too_small_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("One single document. " * 100)
    with pytest.raises(ConfigError, match=r"has 0 tokens in 0 documents"):
        prepare(Data(corpus=f"files:{path}", tokenizer="byte", context=8))


def test_held_out_texts_are_capped(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "HELD_OUT_TEXTS", 5)
    text = prepare(data)
    assert len(list(text.documents("test"))) == 5 < text.split("test").documents


def test_progress_is_reported(data: Data) -> None:
    phases = []
    prepare(data, lambda phase, done, total: phases.append(phase))
    assert list(dict.fromkeys(phases)) == ["training the tokenizer", "writing tokens"]


def test_training_documents_are_read_from_the_corpus_again(data: Data) -> None:
    assert all(isinstance(document, Document) for document in prepare(data).documents("train"))


def test_documents_are_tokenized_a_bounded_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BATCH", 10)
    documents = [Document(("x" * size,)) for size in (4, 4, 4, 50, 1, 9, 3)]
    assert [len(batch) for batch in text_module._batches(iter(documents))] == [3, 1, 2, 1]
    assert list(itertools.chain(*text_module._batches(iter(documents)))) == documents


def test_unknown_tokens_are_counted_said_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Words that occur once are unknown to a vocabulary of words; their share is that of a count by hand."""
    rng = generator(0, "test")

    def write(name: str, strange: float) -> Data:
        lines = [
            "".join(chr(97 + k) for k in rng.integers(0, 26, 12)) if rng.random() < strange else "river" for _ in range(6000)
        ]
        path = tmp_path / name
        path.write_text("\n\n".join(" ".join(lines[i : i + 10]) for i in range(0, 6000, 10)))
        return Data(corpus=f"files:{path}", tokenizer="word", vocabulary=64, context=8)

    text = prepare(write("some.txt", 0.2))
    known = set(text.tokenizer.tokens(range(5, text.vocabulary.size)))
    for split in SPLITS:
        words = [word for document in text.documents(split) for sentence in document.sentences for word in sentence.split()]
        share = text.facts()[f"{split} unknown tokens"]
        assert share == pytest.approx(sum(word not in known for word in words) / len(words)) == pytest.approx(0.2, abs=0.06)
        assert text.facts()[f"{split} words"] == len(words)
    assert text.facts()["words in scripts without spaces"] == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "% of the tokens of the " in line
    assert "split are [UNK] under data.tokenizer = 'word'" in line
    with pytest.raises(ConfigError, match=r"data.tokenizer = 'word': .*\[UNK\].* at most half .* 'byte', 'char' or 'bpe'"):
        prepare(write("most.txt", 0.8))


def test_characters_that_count_as_words_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.data.words.ICU", None)
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"老师读书 {i}。" for i in range(600)))
    text = prepare(Data(corpus=f"files:{path}", tokenizer="char", context=8))
    assert text.facts()["words"] == 5 * 600
    assert text.facts()["words in scripts without spaces"] == 4 * 600
    assert "each character counts as a word; dictionaries come with pip install 'ablate[words]'" in capsys.readouterr().err
