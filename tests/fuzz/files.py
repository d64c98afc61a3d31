"""Files that nobody would write: what the fuzz reads, drawn from a seed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from io import BytesIO

import pyarrow
from pyarrow import parquet

ALPHABETS = (
    "ab .\n",
    "abcdefgh ijkl mnop. Q!\n\n",
    "\t\",;'\\{}[]:\r\n",
    "风转了方向。海岸上，没有人！\n",
    "नमस्ते दुनिया। कुत्ते\u200d\u200c ",
    "ลมเปลี่ยนทิศไม่มีใคร ",
    "\u202e\u2066اَلْعَرَبِيَّةُ עִבְרִית؟ ",
    "\ufeff\ufffd\x01\x1b[31m\u2028\u2029\x85\x0b\x0c",
    "👩‍👩‍👧‍👦🏳️‍🌈e\u0301\u0323\U000e0041\U0010ffff",
)
SUFFIXES = (".txt", ".md", ".jsonl", ".csv", ".tsv", ".parquet")
TABLES = (".tsv", ".jsonl")
"""What a task is made of; a file with a given name is one of its parts."""
COMPRESSED = ("", "", ".gz", ".zst")
LONGEST = 1 << 20


def file_of(rng: random.Random, name: str = "") -> tuple[str, bytes]:
    """A name, `name` if it is given, and a content. It mostly fits the suffix, and is damaged now and then."""
    suffix = rng.choice(TABLES if name else SUFFIXES)
    wanted = {".jsonl": json_lines, ".csv": table, ".tsv": table, ".parquet": rows}.get(suffix, text)
    make: Callable[[random.Random], bytes] = wanted if rng.random() < 0.95 else rng.choice((text, json_lines, table, noise))
    content = make(rng)
    packed = "" if suffix == ".parquet" and rng.random() < 0.9 else rng.choice(COMPRESSED)
    if packed == ".gz":
        content = gzip.compress(content, 1, mtime=0)
    elif packed == ".zst":
        content = pyarrow.Codec("zstd").compress(content, asbytes=True)
    name = name or rng.choice(("a", "train", "dev", "test"))
    return f"{name}{suffix}{packed}", damaged(content, rng) if rng.random() < 0.08 else content


def string(rng: random.Random, longest: int) -> str:
    """Characters of one alphabet, of any plane, or one of them repeated."""
    size = int(longest ** rng.random())
    if rng.random() < 0.1:
        return "".join(
            chr(rng.choice((rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x110000)))) for _ in range(min(size, 2000))
        )
    alphabet = rng.choice(ALPHABETS)
    return rng.choice(alphabet) * size if rng.random() < 0.1 else "".join(rng.choices(alphabet, k=size))


def text(rng: random.Random) -> bytes:
    """Text in UTF-8, now and then in another encoding, or in two of them."""
    # Most are long enough to be a corpus; lines that are equal would all be in one split.
    parts = (string(rng, LONGEST), *(f"{number} {string(rng, 1000)}" for number in range(rng.choice((0, 300, 1000, 1000)))))
    body = rng.choice(("\n", "\n\n", " ", "。")).join(parts)
    encoding = rng.choice(("utf-8",) * 40 + ("utf-16", "gb18030", "latin-1"))
    raw = body.encode(encoding, "replace")
    raw += b"\0" * (rng.random() < 0.02)
    return raw + string(rng, 100).encode("gb18030", "replace") if rng.random() < 0.03 else raw


def noise(rng: random.Random) -> bytes:
    """Bytes of no format."""
    return rng.randbytes(int(LONGEST ** rng.random()))


def json_lines(rng: random.Random) -> bytes:
    """Objects, other values, deep nesting, numbers without end, halves of pairs."""
    lines = []
    careless = rng.random() < 0.3
    for _ in range(rng.randrange(1, 1000)):
        match rng.randrange(4 if careless else 10_000):
            case 0:
                lines.append("[" * rng.choice((10, 100_000)))
            case 1:
                lines.append('{"text": ' + "9" * rng.choice((10, 5000)) + "}")
            case 2:
                lines.append('{"text": "\\ud83d", "label": "\\udc00"}')
            case 3:
                lines.append(rng.choice(("", "null", "[]", "1e999", '"x"', "{", "NaN", '{"text": null}', '{"text": ["a"]}')))
            case _:
                label = rng.choice(("", "a", "b", string(rng, 10)))
                lines.append(json.dumps({"text": string(rng, 3000), "label": label}, ensure_ascii=rng.random() < 0.5))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def table(rng: random.Random) -> bytes:
    """Records of any number of fields, quoted in any way."""
    separator = rng.choice("\t,")
    header = ["text", "label", *(string(rng, 10) for _ in range(rng.randrange(3)))]
    lines = [separator.join(header if rng.random() < 0.9 else header[::-1])]
    for _ in range(rng.randrange(300)):
        fields = [string(rng, 500).replace("\n", rng.choice((" ", "\n"))) for _ in range(len(header) + (rng.random() < 0.0005))]
        lines.append(separator.join(f'"{field}"' if rng.random() < 0.2 else field for field in fields))
    return rng.choice(("\n",) * 5 + ("\r\n",) * 4 + ("\r",)).join(lines).encode("utf-8", "replace")


def rows(rng: random.Random) -> bytes:
    """A Parquet file whose column of text may be numbers, lists or bytes."""
    count = rng.randrange(1000)
    column = rng.choice(
        (
            *(pyarrow.array([string(rng, 1000) for _ in range(count)], pyarrow.string()) for _ in range(5)),
            pyarrow.array([rng.choice((None, "a b. C")) for _ in range(count)], pyarrow.large_string()),
            pyarrow.array(range(count)),
            pyarrow.array([[1]] * count, pyarrow.list_(pyarrow.int8())),
            pyarrow.array([rng.randbytes(8) for _ in range(count)], pyarrow.binary()).view(pyarrow.string())
            if count
            else pyarrow.array([], pyarrow.string()),
        )
    )
    stream = BytesIO()
    parquet.write_table(pyarrow.table({rng.choice(("text",) * 5 + ("body",)): column}), stream)
    return stream.getvalue()


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cut, or with a few bytes changed."""
    if rng.random() < 0.5 or not content:
        return content[: rng.randrange(len(content) + 1)]
    made = bytearray(content)
    for _ in range(rng.randrange(1, 20)):
        made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made)
