"""Five tokenizers behind one interface, trained on the training split, deterministic.

| kind | a token is | source |
| --- | --- | --- |
| `wordpiece` | a word or a `##` piece of one, lower case, no accents | Schuster & Nakajima 2012; Devlin et al. 2019, sec. 3 |
| `bpe` | a run of bytes joined by frequency, case kept | Sennrich et al. 2016, sec. 3.2; Radford et al. 2019, sec. 2.2 |
| `unigram` | a piece that maximises the likelihood of the text | Kudo 2018, sec. 3.2 |
| `byte` | one byte of UTF-8 | Xue et al. 2022 (ByT5), sec. 3.1 |
| `char` | one character of the training text | |

Ids 0 to 4 are special and never come out of text, not even out of a text that spells `[MASK]`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from ablate.config import ConfigError
from ablate.measure import digest

# Tokenizing happens before loader workers fork; threads that a fork would lose are not worth their warning.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Names of ids 0 to 4; ordinary tokens start at 5."""

TRAINING_SENTENCES = 200_000
"""A tokenizer is trained on the first so many sentences of the training split, which bounds memory on large corpora."""
UNIGRAM_SENTENCES = 20_000
"""The same for `unigram`, whose training time grows faster than its text (Kudo 2018, sec. 3.2: EM over all substrings)."""
RAREST_CHARACTER = 1e-5
"""A character rarer than this share of the training text is not in the alphabet and becomes `[UNK]` (not in `bpe`, `byte`)."""
RULE = 1
"""Raised when the same text would be cut differently by new code here."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The token types an objective must know about."""

    size: int
    """V, special tokens included."""
    continues: np.ndarray
    """bool [V]: the token continues the word that the token before it began. Exact for `wordpiece`; for the others a token that
    begins with a letter or digit and no space, which also holds for a word right after an opening bracket."""


class Tokenizer:
    """Text to ids and back."""

    def __init__(self, model: tokenizers.Tokenizer, kind: str, fingerprint: str) -> None:
        # Otherwise a text that spells "[MASK]" would yield the id of the mask token.
        model.encode_special_tokens = True
        self._model = model
        self.kind = kind
        self.fingerprint = fingerprint
        size = model.get_vocab_size()
        self.vocabulary = Vocabulary(size, np.array([_continues(kind, str(model.id_to_token(i))) for i in range(size)]))

    def encode(self, text: str) -> list[int]:
        """Ids of the text, no special tokens added."""
        return list(self._model.encode(text, add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text."""
        return [encoding.ids for encoding in self._model.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; a special token is shown by its name, where nothing else would be shown for it."""
        pieces: list[str] = []
        run: list[int] = []
        for token in [*map(int, ids), PAD]:
            if token > MASK:
                run.append(token)
                continue
            if run:
                pieces.append(self._model.decode(run, skip_special_tokens=False).strip())
                run = []
            pieces.append(SPECIAL[token])
        return " ".join(pieces[:-1])

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens as the vocabulary spells them."""
        return [str(self._model.id_to_token(int(token))) for token in ids]

    def save(self, path: Path) -> None:
        """Write the whole tokenizer as one JSON file."""
        path.write_text(self._model.to_str(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path, kind: str, fingerprint: str) -> Tokenizer:
        """The inverse of `save`."""
        return cls(tokenizers.Tokenizer.from_file(str(path)), kind, fingerprint)


def fingerprint(corpus: str, kind: str, vocabulary: int) -> str:
    """Names a tokenizer and what it is trained on, without training it."""
    size = 0 if kind in ("byte", "char") else vocabulary
    settings = (TRAINING_SENTENCES, UNIGRAM_SENTENCES, RAREST_CHARACTER, RULE)
    return digest("tokenizer", corpus, kind, size, settings, tokenizers.__version__)


def train(sentences: Iterable[str], kind: str, vocabulary: int, fingerprint: str) -> Tokenizer:
    """Learn a tokenizer of `kind` with at most `vocabulary` types from the first `TRAINING_SENTENCES` sentences.

    A text with too few distinct pieces gives a smaller vocabulary, whose size is then the one reported. Raises
    `ConfigError` when `vocabulary` cannot even hold the alphabet.
    """
    sample = list(islice(sentences, TRAINING_SENTENCES))
    if not sample:
        raise ConfigError("the training split holds no sentence to train a tokenizer on")
    model = _TRAIN[kind](sample, vocabulary)
    if kind not in ("byte", "char") and model.get_vocab_size() > vocabulary:
        raise _too_small(vocabulary, model.get_vocab_size())
    return Tokenizer(model, kind, fingerprint)


def _too_small(vocabulary: int, needed: int) -> ConfigError:
    alphabet = f"the alphabet of this text and {len(SPECIAL)} special tokens"
    return ConfigError(f"data.vocabulary = {vocabulary} token types, but {alphabet} need {needed}")


def _alphabet(sample: Sequence[str], normalizer: normalizers.Normalizer | None = None) -> list[str]:
    """Characters by falling frequency (ties by code point), the rarest left out."""
    counts: Counter[str] = Counter()
    for sentence in sample:
        counts.update(sentence if normalizer is None else normalizer.normalize_str(sentence))
    rarest = RAREST_CHARACTER * sum(counts.values())
    return sorted((character for character, count in counts.items() if count >= rarest), key=lambda c: (-counts[c], c))


def _wordpiece(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    model = tokenizers.Tokenizer(models.WordPiece(unk_token=SPECIAL[UNK]))
    model.normalizer = normalizers.BertNormalizer(lowercase=True)
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    model.decoder = decoders.WordPiece()
    alphabet = [character for character in _alphabet(sample, model.normalizer) if not character.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        limit_alphabet=len(alphabet),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    model.train_from_iterator(sample, trainer)
    return model


def _bpe(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    model = tokenizers.Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    model.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(sample, trainer)
    return model


def _unigram(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    sample = sample[:UNIGRAM_SENTENCES]
    normalizer = normalizers.NFKC()
    alphabet = frozenset(_alphabet(sample, normalizer)) | {" "}
    if (needed := len(alphabet) + len(SPECIAL)) > vocabulary:
        raise _too_small(vocabulary, needed)
    model = tokenizers.Tokenizer(models.Unigram())
    model.normalizer = normalizer
    model.pre_tokenizer = pre_tokenizers.Metaspace()
    model.decoder = decoders.Metaspace()
    # The trainer makes every character it sees a token, so it does not get to see those outside the alphabet.
    seen = ["".join(filter(alphabet.__contains__, normalizer.normalize_str(sentence))) for sentence in sample]
    trainer = trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), unk_token=SPECIAL[UNK], show_progress=False
    )
    model.train_from_iterator(seen, trainer)
    return model


def _byte(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    spelled = {byte: character for character, byte in _bytes_by_character().items()}
    tokens = {name: i for i, name in enumerate(SPECIAL)} | {spelled[byte]: len(SPECIAL) + byte for byte in range(256)}
    model = tokenizers.Tokenizer(models.BPE(vocab=tokens, merges=[]))
    model.add_special_tokens(list(SPECIAL))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    model.decoder = decoders.ByteLevel()
    return model


def _char(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    alphabet = [" ", *(character for character in _alphabet(sample) if character != " ")]
    tokens = {name: i for i, name in enumerate((*SPECIAL, *alphabet))}
    model = tokenizers.Tokenizer(models.WordLevel(vocab=tokens, unk_token=SPECIAL[UNK]))
    model.add_special_tokens(list(SPECIAL))
    model.normalizer = normalizers.Prepend(" ")
    model.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    model.decoder = decoders.Fuse()
    return model


_TRAIN = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram, "byte": _byte, "char": _char}


def _bytes_by_character() -> dict[str, int]:
    """The character that stands for each byte in byte-level models: its own where printable, else 256, 257, ... in turn."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _continues(kind: str, token: str) -> bool:
    if token in SPECIAL:
        return False
    if kind == "wordpiece":
        return token.startswith("##")
    if kind in ("bpe", "byte"):
        first = _bytes_by_character()[token[0]]
        return first >= 0x80 or chr(first).isalnum()
    return token[0].isalnum()
