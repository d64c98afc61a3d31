"""How each kind of tokenizer learns its pieces: a model of Hugging Face `tokenizers` from sentences.

Special tokens have ids 0 to 4 in every model and are no part of what text can spell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from ablate.config import ConfigError
from ablate.data.unigram_tokenizer import train_unigram

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Names of ids 0 to 4; ordinary tokens start at 5."""

RAREST_CHARACTER = 1e-5
"""A character rarer than this share of the training text is not in the alphabet and becomes `[UNK]` (not in `bpe`, `byte`)."""
SPACE = "\u2581"
"""The space before a word in `unigram`."""
LONGEST_WORD = 100
"""Characters of a word that WordPiece takes apart (the limit of BERT's release). A longer one is cut, and begins anew."""
# A mark on a letter of another script than these is part of the letter: a vowel, a tone, the breve of Cyrillic.
ACCENTS = Regex(
    r"(?<![\p{L}&&[^\p{Latin}\p{Greek}\p{Common}]])[\x{300}-\x{36f}\x{1ab0}-\x{1aff}\x{1dc0}-\x{1dff}\x{20d0}-\x{20ff}]+"
)
# Joiners and the tags of flags are format characters as well, but a text without them says something else.
CONTROL = Regex(r"[[\p{Cc}\p{Cf}\p{Co}\p{Cs}\x{fffd}]&&[^\t\n\r\x{200c}\x{200d}\x{e0020}-\x{e007f}]]")
# GPT-2's pattern (Radford et al. 2019, released code), in which marks and joiners stay with their letter or digit.
SPLIT = Regex(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}[\p{L}\p{M}\x{200c}\x{200d}]*| ?\p{N}[\p{N}\p{M}]*| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
STAND_INS = 0xF0000
"""A private plane of Unicode, in which no text is written."""


def too_small(vocabulary: int, needed: int) -> ConfigError:
    """Return the error for a `vocabulary` that is smaller than the alphabet."""
    alphabet = f"the alphabet of this text and {len(SPECIAL)} special tokens"
    return ConfigError(f"data.vocabulary = {vocabulary} token types, but {alphabet} need {needed}")


def _alphabet(sample: Sequence[str]) -> list[str]:
    """Characters by falling frequency (ties by code point), the rarest left out."""
    counts: Counter[str] = Counter()
    for sentence in sample:
        counts.update(sentence)
    rarest = RAREST_CHARACTER * sum(counts.values())
    return sorted((character for character, count in counts.items() if count >= rarest), key=lambda c: (-counts[c], c))


def _uncased() -> normalizers.Normalizer:
    """BERT's uncased text (Devlin et al. 2019, released code) for Latin and Greek. In other scripts marks are kept.

    BERT takes every mark off, which makes other words of words in most scripts of Asia, and other letters of Cyrillic ones.
    """
    ideographs = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    clean = (normalizers.Replace(CONTROL, ""), normalizers.Replace(Regex(r"\s"), " "))
    accents = (normalizers.NFD(), normalizers.Replace(ACCENTS, ""))
    return normalizers.Sequence([*clean, ideographs, *accents, normalizers.Lowercase(), normalizers.NFC()])


def _after_space(*steps: pre_tokenizers.PreTokenizer) -> pre_tokenizers.PreTokenizer:
    """The steps on a text that begins with a space. What follows a special token within a text is given none."""
    first = pre_tokenizers.Metaspace(replacement=" ", prepend_scheme="first", split=False)
    return pre_tokenizers.Sequence([first, *steps])


def _wordpiece(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    normalizer = _uncased()
    long = pre_tokenizers.Split(Regex(rf"[\s\S]{{{LONGEST_WORD}}}"), "isolated")
    splitter = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), long])
    sample = [normalizer.normalize_str(sentence) for sentence in sample]
    alphabet = [character for character in _alphabet(sample) if not character.isspace()]
    # Merges are learned on words whose inner characters are spelled by stand-ins, a continuing "a" being another letter than
    # a leading one. The library's own trainer numbers its "##" pieces in the order of a randomised hash table, and ties
    # between merges, hence the pieces themselves, would differ from process to process.
    inner = {ord(character): chr(STAND_INS + place) for place, character in enumerate(alphabet)}
    outer = {stand_in: chr(character) for character, stand_in in inner.items()}
    known = frozenset(alphabet)

    def spelled(sentence: str) -> str:
        words = (word for word, _ in splitter.pre_tokenize_str(sentence))
        return " ".join(word[0] + word[1:].translate(inner) for word in words if known.issuperset(word))

    merged = tokenizers.Tokenizer(models.BPE())
    merged.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    merged.train_from_iterator(
        map(spelled, sample),
        trainers.BpeTrainer(vocab_size=vocabulary - len(SPECIAL), initial_alphabet=alphabet, show_progress=False),
    )
    pieces = sorted(merged.get_vocab(), key=merged.get_vocab().__getitem__)
    plain = ["##" * (piece[0] in outer) + "".join(outer.get(character, character) for character in piece) for piece in pieces]
    model = tokenizers.Tokenizer(models.WordPiece({x: i for i, x in enumerate([*SPECIAL, *plain])}, unk_token=SPECIAL[UNK]))
    model.normalizer, model.pre_tokenizer, model.decoder = normalizer, splitter, decoders.WordPiece()
    return model


def _bpe(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    model = tokenizers.Tokenizer(models.BPE())
    pieces = pre_tokenizers.Split(SPLIT, "isolated")
    model.pre_tokenizer = _after_space(pieces, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
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
    normalizer = normalizers.NFKC()
    sample = [normalizer.normalize_str(sentence) for sentence in sample]
    alphabet = frozenset(_alphabet(sample)) - {" "} | {SPACE}
    if (needed := len(alphabet) + len(SPECIAL)) > vocabulary:
        raise too_small(vocabulary, needed)
    words: Counter[str] = Counter()
    for sentence in sample:
        words.update(SPACE + word for word in sentence.split(" ") if alphabet.issuperset(word))
    pieces = train_unigram(words, alphabet, vocabulary - len(SPECIAL))
    # No text holds a space where this model looks for pieces, so no text spells the name of a special token.
    special = [(f"{name} ", 0.0) for name in SPECIAL]
    model = tokenizers.Tokenizer(models.Unigram([*special, *pieces], unk_id=UNK))
    model.normalizer = normalizer
    model.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    model.decoder = decoders.Metaspace()
    return model


def _word(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    counts: Counter[str] = Counter()
    for sentence in sample:
        counts.update(sentence.split())
    # A corpus that marks its own unknown words (as the Penn Treebank's "<unk>") keeps the mark as a word of its own.
    kept = sorted(counts, key=lambda word: (-counts[word], word))[: vocabulary - len(SPECIAL)]
    # No word holds a space, so no text spells the name of a special token; see `_unigram`.
    tokens = {name: i for i, name in enumerate((*(f"{name} " for name in SPECIAL), *kept))}
    model = tokenizers.Tokenizer(models.WordLevel(vocab=tokens, unk_token=f"{SPECIAL[UNK]} "))
    model.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return model


def _byte(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    spelled = {byte: character for character, byte in bytes_by_character().items()}
    tokens = {name: i for i, name in enumerate(SPECIAL)} | {spelled[byte]: len(SPECIAL) + byte for byte in range(256)}
    model = tokenizers.Tokenizer(models.BPE(vocab=tokens, merges=[]))
    model.pre_tokenizer = _after_space(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    model.decoder = decoders.ByteLevel()
    return model


def _char(sample: list[str], vocabulary: int) -> tokenizers.Tokenizer:
    alphabet = [" ", *(character for character in _alphabet(sample) if character != " ")]
    tokens = {name: i for i, name in enumerate((*SPECIAL, *alphabet))}
    model = tokenizers.Tokenizer(models.WordLevel(vocab=tokens, unk_token=SPECIAL[UNK]))
    model.pre_tokenizer = _after_space(pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated"))
    model.decoder = decoders.Fuse()
    return model


TRAINERS = {"wordpiece": _wordpiece, "bpe": _bpe, "unigram": _unigram, "word": _word, "byte": _byte, "char": _char}


def bytes_by_character() -> dict[str, int]:
    """The character that stands for each byte in byte-level models: its own where printable, else 256, 257, ... in turn."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
