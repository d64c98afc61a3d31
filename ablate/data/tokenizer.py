"""Six deterministic tokenizers behind one interface, trained on the training split, or one that was trained before.

| kind | a token is | source |
| --- | --- | --- |
| `wordpiece` | a word or `##` piece, lower case; Latin and Greek without accents | Devlin et al. 2019, sec. 3 |
| `bpe` | a run of bytes joined by frequency, case kept | Sennrich et al. 2016, sec. 3.2; Radford et al. 2019, sec. 2.2 |
| `unigram` | a piece that maximises the likelihood of the text | Kudo 2018, sec. 3.2 |
| `word` | what stands between spaces, the most frequent ones; the others are `[UNK]` | Mikolov et al. 2010, sec. 4 |
| `byte` | one byte of UTF-8 | Xue et al. 2022 (ByT5), sec. 3.1 |
| `char` | one character of the training text | |
| `folder:PATH` | what `PATH/tokenizer.json` says: `ablate.data.tokenizer_json` | |

Ids 0 to 4 are special and never come out of text, not even out of a text that spells `[MASK]`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from ablate.config import ConfigError
from ablate.data import tokenizer_json, training_sample, words
from ablate.data.corpora.user_path import user_path
from ablate.data.pieces import pieces
from ablate.data.subwords import (
    CLS,
    MASK,
    PAD,
    RAREST_CHARACTER,
    SEP,
    SPACE,
    SPECIAL,
    TRAINERS,
    UNK,
    bytes_by_character,
    too_small,
)
from ablate.data.token_store import token_type
from ablate.disk.cache import digest_of
from ablate.measure import digest
from ablate.notice import notice
from ablate.sources import source_digest

__all__ = ["CLS", "MASK", "PAD", "SEP", "SPECIAL", "UNK", "Tokenizer", "Vocabulary", "fingerprint", "train"]

# Tokenizing happens before loader workers fork; threads that a fork would lose are not worth their warning.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

LONGEST = 1 << 16
"""Characters of a text encoded in one piece. A longer text is cut before a space, which leaves its ids as they are. After this
many characters without a space the cut is hard, and the next piece begins as a word does."""
BATCH = 1 << 17
"""Characters encoded at a time; a token takes a hundred bytes until its id is read."""
SHORTEST = 64
"""Characters that a shorter text counts as in a batch, for what each text costs whatever its length."""
TRAINING_CODE = tuple(
    f"ablate.data.{name}" for name in ("tokenizer", "subwords", "unigram_tokenizer", "training_sample", "pieces", "words")
)
READING_CODE = ("ablate.data.tokenizer_json",)
GIVEN = "folder:"
FEW = 0.5
"""Share of the token types asked for, below which a vocabulary is said to be small."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The token types an objective must know about."""

    size: int
    """V, special tokens included."""
    spelled: tuple[bytes, ...] = ()
    """Each token's part of a text in UTF-8, as `ablate.data.words` reads it. Empty: no token continues a word."""

    def continues(self, ids: np.ndarray) -> np.ndarray:
        """Whether each token continues the word that the token before it began, bool of the shape of `ids`, [T] or [B, T]."""
        if not self.spelled:
            return np.zeros(ids.shape, dtype=bool)
        return words.continues(np.atleast_2d(ids), self.spelled).reshape(ids.shape)


class Tokenizer:
    """Text to ids and back."""

    def __init__(self, model: tokenizers.Tokenizer, kind: str, fingerprint: str) -> None:
        # Otherwise a text that spells "[MASK]" would yield the id of the mask token.
        model.encode_special_tokens = True
        self._model = model
        self._names = [*SPECIAL, *(str(model.id_to_token(i)) for i in range(len(SPECIAL), model.get_vocab_size()))]
        self.kind = kind
        self.fingerprint = fingerprint
        size = len(self._names)
        self.vocabulary = Vocabulary(size, tuple(_spelled(kind, name) for name in self._names))

    def encode(self, text: str) -> list[int]:
        """Ids of the text, no special tokens added."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text."""
        return [ids.tolist() for ids in self.encoded(texts)]

    def encoded(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """`encode` of each text in the type of `token_type`, with a bounded number of characters in work at a time."""
        kind = token_type(self.vocabulary.size)
        held: list[np.ndarray] = []
        for batch in _batches(texts):
            with tokenizer_json.library(f"the tokenizer {self.kind!r} cannot encode this text"):
                encodings = self._model.encode_batch_fast([piece for piece, _ in batch], add_special_tokens=False)
            for (_, last), encoding in zip(batch, encodings, strict=True):
                held.append(np.array(encoding.ids, kind))
                if last:
                    whole, held = np.concatenate(held) if len(held) > 1 else held[0], []
                    yield whole

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of the ids, with special tokens shown by their names."""
        parts: list[str] = []
        run: list[int] = []
        for token in [*map(int, ids), PAD]:
            if token > MASK:
                run.append(token)
                continue
            if run:
                with tokenizer_json.library(f"the tokenizer {self.kind!r} cannot decode these ids"):
                    spelled = self._model.decode(run, skip_special_tokens=False)
                parts.append(spelled.strip())
                run = []
            parts.append(SPECIAL[token])
        return " ".join(parts[:-1])

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens as the vocabulary spells them."""
        return [self._names[int(token)] for token in ids]

    def save(self, path: Path) -> None:
        """Write the whole tokenizer as one JSON file."""
        path.write_text(self._model.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, kind: str, fingerprint: str) -> Tokenizer:
        """The inverse of `save`; of a tokenizer that was given, the kind is found in the file."""
        if kind.startswith(GIVEN):
            kind = tokenizer_json.kind_of(tokenizer_json.read(path), path)
        return cls(tokenizers.Tokenizer.from_file(str(path)), kind, fingerprint)

    def content(self) -> tokenizer_json.Content:
        """The tokenizer as `tokenizer_json.arranged` gives it."""
        held: tokenizer_json.Content = json.loads(self._model.to_str())
        return tokenizer_json.arranged(held, Path(tokenizer_json.FILE))[0]


def fingerprint(corpus: str, kind: str, vocabulary: int) -> str:
    """Return the fingerprint of a tokenizer without training it: its text, kind and size, or the digest of its file."""
    if kind.startswith(GIVEN):
        made = digest_of(_given_file(kind))
        return digest("tokenizer", made, source_digest(*READING_CODE), tokenizers.__version__, *words.RULE)
    size = 0 if kind in ("byte", "char") else vocabulary
    settings = (*training_sample.BOUNDS, RAREST_CHARACTER)
    return digest("tokenizer", corpus, kind, size, settings, tokenizers.__version__, *words.RULE)


def train(sentences: Iterable[str], kind: str, vocabulary: int, fingerprint: str) -> Tokenizer:
    """Learn a tokenizer of `kind` with at most `vocabulary` types from the first sentences (`ablate.data.training_sample`).

    A text with too few distinct pieces gives a smaller vocabulary; one below `FEW` of what was asked is said. Raises
    `ConfigError` when `vocabulary` cannot even hold the alphabet.
    """
    sample = training_sample.beginning(sentences)
    if not sample:
        raise ConfigError("the training split holds no sentence to train a tokenizer on")
    model = TRAINERS[kind](sample, vocabulary)
    if kind not in ("byte", "char") and model.get_vocab_size() > vocabulary:
        raise too_small(vocabulary, model.get_vocab_size())
    if kind not in ("byte", "char") and model.get_vocab_size() < FEW * vocabulary:
        given = f"the text gives {model.get_vocab_size():,} token types"
        notice(f"data.vocabulary = {vocabulary:,}, but {given} to data.tokenizer = {kind!r}: it repeats too little")
    return Tokenizer(model, kind, fingerprint)


def given(kind: str, fingerprint: str) -> Tokenizer:
    """The tokenizer of `folder:PATH`; `ConfigError` when it cannot be used."""
    path = _given_file(kind)
    content, _ = tokenizer_json.arranged(tokenizer_json.read(path), path)
    return Tokenizer(tokenizer_json.loaded(content, path), tokenizer_json.kind_of(content, path), fingerprint)


def _given_file(kind: str) -> Path:
    path = user_path(kind.removeprefix(GIVEN), f"data.tokenizer = {kind!r}") / tokenizer_json.FILE
    if not path.is_file():
        raise ConfigError(f"data.tokenizer = {kind!r}, but there is no file {path}")
    return path


def _batches(texts: Iterable[str]) -> Iterator[list[tuple[str, bool]]]:
    """Pieces of the texts, each with whether it is the last of its text."""
    batch: list[tuple[str, bool]] = []
    size = 0
    for text in texts:
        done = 0
        for piece in pieces(text, LONGEST):
            done += len(piece)
            batch.append((piece, done == len(text)))
            size += max(len(piece), SHORTEST)
            if size >= BATCH:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _spelled(kind: str, token: str) -> bytes:
    """A token's part of the text; a token that stands for no text, or for none that is known, is a break between words."""
    if token.strip() in SPECIAL:
        return words.BREAK
    if kind in ("bpe", "byte"):
        # A vocabulary made elsewhere may hold tokens that no bytes spell.
        known = bytes_by_character()
        return bytes(known[character] for character in token) if known.keys() >= set(token) else words.BREAK
    if kind == "wordpiece":
        token = token.removeprefix("##") if token.startswith("##") else f" {token}"
    elif kind == "word":
        token = f" {token}"
    elif kind == "unigram":
        token = token.replace(SPACE, " ")
    return token.encode("utf-8", "surrogatepass")
