"""A tokenizer as one JSON file, `tokenizer.json`, in the form of other programs and in the form used here.

Here ids 0 to 4 are the special tokens and no text can spell them. Elsewhere they may stand anywhere (BERT's release: 0, 100 to
103), and a text that spells `[MASK]` means the mask. So reading a file puts its special tokens first and keeps the order of the
others. Writing a file names them as special tokens and frames a text as the objective does.

Read are the models of Hugging Face `tokenizers`: WordPiece, byte-level BPE, Unigram and WordLevel. The library aborts on some
files, so that a file from elsewhere is tried in a process of its own first (`ablate.data.tokenizer_trial`).
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tokenizers

from ablate.config import ConfigError
from ablate.data import tokenizer_trial
from ablate.data.subwords import MASK, SPECIAL, UNK

FILE = "tokenizer.json"
SENTINEL = re.compile(r"<extra_id_\d+>")
"""Tokens after the vocabulary that no text contains: T5 marks a missing span with them."""
LARGEST = 1 << 28
"""Bytes of the file. A million tokens take about 60 million."""
DEEPEST = 32
"""Objects and lists inside each other. BERT's file has 5."""
MOST_GROWTH = 1000
"""Characters that its replacements may make of one; each of them multiplies what the others have made."""
LONGEST_WORD = 1000
"""Characters of a word that WordPiece may take apart, in time that grows with their square."""
PATIENCE = 120
"""Seconds that a trial may take."""

Content = dict[str, Any]


def read(path: Path) -> Content:
    """The file as it stands. Raises `ConfigError` when it is missing or no tokenizer."""
    try:
        if (size := path.stat().st_size) > LARGEST:
            raise ConfigError(f"{path}: {size:,} bytes are too many for a tokenizer, must be at most {LARGEST:,}")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except ConfigError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not a JSON file ({error})") from None
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise ConfigError(f"{path}: not a tokenizer: it has no vocabulary")
    _check_size(content, path)
    _check_entries(model["vocab"], path)
    _check_added(content.get("added_tokens"), path)
    return content


def _check_entries(vocabulary: dict[str, Any] | list[Any], path: Path) -> None:
    if isinstance(vocabulary, dict):
        for name, number in vocabulary.items():
            if not _is_id(number):
                raise ConfigError(f"{path}: its token {name!r} has the id {number!r}, but must have a whole number, 0 or more")
        return
    for entry in vocabulary:
        match entry:
            case [str(), float() | int() as score] if not isinstance(score, bool):
                continue
        raise ConfigError(f"{path}: its vocabulary holds {entry!r}, but must hold pairs of a token and its score")


def _check_added(added: Any, path: Path) -> None:
    if not isinstance(added, list | None):
        raise ConfigError(f"{path}: added_tokens = {added!r}, but must be a list")
    for token in added or []:
        match token:
            case {"content": str(), "id": number} if _is_id(number):
                continue
        raise ConfigError(f"{path}: its added token {token!r} must have a text as `content` and a whole number as `id`")


def _check_size(content: Content, path: Path) -> None:
    """Refuse what is nested too deep for the library and Python alike, or makes a text too long for any memory."""
    growth = 1
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        for part in level:
            if isinstance(part, dict) and part.get("type") in ("Replace", "Prepend"):
                written = part.get("content", part.get("prepend"))
                growth *= max(1, len(written)) if isinstance(written, str) else 1
        containers = (part.values() if isinstance(part, dict) else part for part in level)
        level = [inner for part in containers for inner in part if isinstance(inner, dict | list)]
    if level:
        raise ConfigError(f"{path}: its parts are nested more than {DEEPEST} deep")
    if growth > MOST_GROWTH:
        raise ConfigError(
            f"{path}: its replacements make up to {growth:.3g} characters of one, must be at most {MOST_GROWTH:,}"
        )
    longest = content["model"].get("max_input_chars_per_word")
    if isinstance(longest, int) and longest > LONGEST_WORD:
        raise ConfigError(f"{path}: max_input_chars_per_word = {longest}, but must be at most {LONGEST_WORD:,}")


def _is_id(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0


def arranged(content: Content, path: Path) -> tuple[Content, list[int]]:
    """The tokenizer with its special tokens at ids 0 to 4, and which id of the file each id was.

    Raises `ConfigError` for a tokenizer that lacks one of the special tokens, or of a kind that is not known here.
    """
    model = dict(content["model"])
    kind = kind_of(content, path)
    listed = isinstance(model["vocab"], list)
    ids = {entry[0]: i for i, entry in enumerate(model["vocab"])} if listed else dict(model["vocab"])
    added = {token["content"]: token["id"] for token in content.get("added_tokens") or []}
    if strange := [name for name in added if name not in ids and name not in SPECIAL and not SENTINEL.fullmatch(name)]:
        raise ConfigError(f"{path}: its added token {strange[0]!r} is not one of {', '.join(SPECIAL)}")
    ids |= {name: number for name, number in added.items() if not SENTINEL.fullmatch(name)}
    # A name ends with a space where the model must not find it in a text.
    special = [next((ids[spelled] for spelled in (name, f"{name} ") if spelled in ids), None) for name in SPECIAL]
    if None in special:
        lacking = ", ".join(name for name, number in zip(SPECIAL, special, strict=True) if number is None)
        raise ConfigError(f"{path}: it has no token {lacking}, which training here needs")
    names = {number: name for name, number in ids.items()}
    if sorted(names) != list(range(len(ids))):
        raise ConfigError(f"{path}: its {len(ids)} tokens do not have the ids 0 to {len(ids) - 1}")
    first = [number for number in special if number is not None]
    order = [*first, *(number for number in range(len(ids)) if number not in set(first))]
    hidden = "" if kind in ("bpe", "byte") else " "
    spelled = [*(f"{name}{hidden}" for name in SPECIAL), *(names[number] for number in order[len(SPECIAL) :])]
    if listed:
        scores = dict(model["vocab"])
        model["vocab"] = [[name, 0.0 if i < len(SPECIAL) else scores[name]] for i, name in enumerate(spelled)]
        model["unk_id"] = UNK
    else:
        model["vocab"] = {name: i for i, name in enumerate(spelled)}
    if model.get("unk_token") is not None:
        model["unk_token"] = spelled[UNK]
    kept = {"normalizer": content.get("normalizer"), "pre_tokenizer": content.get("pre_tokenizer")}
    mentioned = [_added(name, i) for i, name in enumerate(SPECIAL)] if not hidden else []
    ours = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": mentioned, **kept}
    return ours | {"post_processor": None, "decoder": content.get("decoder"), "model": model}, order


def loaded(content: Content, path: Path) -> tokenizers.Tokenizer:
    """The tokenizer that the JSON describes. Raises `ConfigError` for one that the library cannot read or cannot use."""
    unreadable = f"{path}: not a tokenizer that can be read"
    with library(unreadable):
        written = json.dumps(content)
    # Without -P, modules beside the program would hide those of the standard library.
    command = [sys.executable, "-P", tokenizer_trial.__file__]
    try:
        tried = subprocess.run(command, input=written.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{unreadable} (the tokenizers library takes more than {PATIENCE} seconds)") from None
    if tried.returncode < 0:
        raise ConfigError(f"{unreadable} (the tokenizers library ends with {signal.Signals(-tried.returncode).name})")
    if tried.returncode:
        raise ConfigError(f"{unreadable} ({_last_line(tried.stdout) or _last_line(tried.stderr)})")
    with library(unreadable):
        return tokenizers.Tokenizer.from_str(written)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


@contextmanager
def library(what: str) -> Iterator[None]:
    """Turn an error of the library into a `ConfigError` that says `what`: a plain `Exception`, or a panic, which is none."""
    try:
        yield
    except BaseException as error:
        if type(error) is not Exception and type(error).__name__ != "PanicException":
            raise
        raise ConfigError(f"{what} ({' '.join(str(error).split())})") from None


def kind_of(content: Content, path: Path) -> str:
    """Which of the kinds in `ablate.data.tokenizer` it is."""
    model, splitter = content["model"], json.dumps(content.get("pre_tokenizer"))
    if model.get("type") == "BPE" and "ByteLevel" in splitter:
        return "bpe" if model.get("merges") else "byte"
    if model.get("type") == "WordLevel":
        return "char" if '"Split"' in splitter else "word"
    if model.get("type") in ("WordPiece", "Unigram"):
        return str(model["type"]).lower()
    raise ConfigError(
        f"{path}: its model is {model.get('type')!r}, but must be WordPiece, byte-level BPE, Unigram or WordLevel"
    )


def portable(content: Content, before: Sequence[int], after: Sequence[int], sentinels: Sequence[str]) -> Content:
    """A tokenizer that is `arranged`, for other programs: special tokens by their names, a text framed by `before` and `after`.

    A pair of texts is  before A after B after,  B and what follows it being the second segment.
    """
    model = dict(content["model"])
    spelled = {f"{name} ": name for name in SPECIAL}
    if isinstance(model["vocab"], list):
        model["vocab"] = [[spelled.get(name, name), score] for name, score in model["vocab"]]
    else:
        model["vocab"] = {spelled.get(name, name): number for name, number in model["vocab"].items()}
    if model.get("unk_token") is not None:
        model["unk_token"] = spelled.get(model["unk_token"], model["unk_token"])
    # The mask of a word or its first piece stands for the space before it too. That of a character or byte does not.
    lstrip = kind_of(content, Path(FILE)) in ("bpe", "unigram")
    size = len(model["vocab"])
    tokens = [*enumerate(SPECIAL), *enumerate(sentinels, start=size)]
    first = [*(_named(i, 0) for i in before), _sequence("A", 0), *(_named(i, 0) for i in after)]
    frame = {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, _sequence("B", 1), *(_named(i, 1) for i in after)],
        "special_tokens": {
            SPECIAL[i]: {"id": SPECIAL[i], "ids": [i], "tokens": [SPECIAL[i]]} for i in sorted({*before, *after})
        },
    }
    added = [{**_added(name, i), "lstrip": lstrip and i == MASK} for i, name in tokens]
    return {**content, "added_tokens": added, "post_processor": frame, "model": model}


def difference(one: Content, other: Content) -> str | None:
    """Return the first difference of two `arranged` tokenizers; None if they give the same ids for every text."""
    pieces = [c["model"]["vocab"] for c in (one, other)]
    names = [[piece[0] for piece in p] if isinstance(p, list) else list(p) for p in pieces]
    for number, (a, b) in enumerate(zip(*names, strict=False)):
        if a != b:
            return f"id {number} is {a!r} there and {b!r} in the run"
    if len(names[0]) != len(names[1]):
        return f"{len(names[0])} tokens there and {len(names[1])} in the run"
    for part in ("normalizer", "pre_tokenizer", "model"):
        if _rounded(one[part]) != _rounded(other[part]):
            return f"its {part} is another"
    return None


def _rounded(part: Any) -> Any:
    """Scores lose their last digit when they are written and read again."""
    return json.loads(json.dumps(part), parse_float=lambda digits: f"{float(digits):.9g}")


def _added(name: str, number: int) -> Content:
    how = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": number, "content": name, **how}


def _named(number: int, segment: int) -> Content:
    return {"SpecialToken": {"id": SPECIAL[number], "type_id": segment}}


def _sequence(name: str, segment: int) -> Content:
    return {"Sequence": {"id": name, "type_id": segment}}
