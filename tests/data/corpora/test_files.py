"""A user's own files: what comes out, what is refused and in which words."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ablate.config import ConfigError, Data
from ablate.data.corpora import open_corpus
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.corpora.files import Files
from ablate.data.corpora.lines import CHUNK, HARMLESS, read_lines
from ablate.data.document import Document
from ablate.data.splits import SPLITS, split_of
from ablate.data.text import prepare
from ablate.seeds import generator

OPEN = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


def documents(path: Path, column: str = "text") -> list[Document]:
    return list(Files(path, column).documents())


def write(path: Path, content: str | bytes) -> Path:
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_blank_lines_separate_documents_of_a_txt(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.txt{suffix}", "\ufeffOne here. Two\nhere.\r\n \r\n\r\nThird ünd lást.\n\n")
    assert documents(path) == [Document(("One here.", "Two here.")), Document(("Third ünd lást.",))]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_jsonl_line_is_a_document(tmp_path: Path, suffix: str) -> None:
    rows = [{"body": "A b. C\u2028d.", "label": 3}, {"body": None}, {"body": "E."}]
    path = write(tmp_path / f"a.jsonl{suffix}", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    assert documents(path, "body") == [Document(("A b.", "C d."), "3"), Document(("E.",))]


@OPEN
@given(st.lists(st.tuples(TEXT, st.text("abc", max_size=2)), min_size=1, max_size=6))
def test_a_csv_record_is_a_document_however_it_is_quoted(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("label", "text"), *((label, text) for text, label in rows)])
    path = write(tmp_path / "a.csv", buffer.getvalue())
    wanted = [Document(tuple(sentences), label) for text, label in rows if (sentences := split_sentences(text))]
    if wanted:
        assert documents(path) == wanted
    else:
        with pytest.raises(ConfigError, match="holds no text"):
            documents(path)


def test_a_tsv_line_is_a_document_and_quotes_mean_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'text\tlabel\n"Open quote\tx\n\nSecond one\ty\n')
    assert documents(path) == [Document(('"Open quote',), "x"), Document(("Second one",), "y")]


def test_a_folder_is_read_in_the_order_of_its_paths(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    write(tmp_path / "b" / "x.txt", "Third.")
    write(tmp_path / "a.txt", "First.")
    write(tmp_path / "a.csv", "text\nZeroth.\n")
    write(tmp_path / "c.md", "# Fourth.")
    write(tmp_path / "notes.rst", "no")
    write(tmp_path / "README.md", "no")
    write(tmp_path / ".hidden.txt", "no")
    assert [document.sentences[0] for document in documents(tmp_path)] == ["Zeroth.", "First.", "Third.", "# Fourth."]


def test_the_fingerprint_is_of_the_contents_not_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    one = write(tmp_path / "a.txt", "Same text.")
    other = write(tmp_path / "elsewhere" / "b.txt", "Same text.")
    first = Files(one, "text").fingerprint()
    assert first == Files(one, "text").fingerprint() == Files(other, "text").fingerprint()
    write(one, "Some text.")
    assert first != Files(one, "text").fingerprint()
    assert first != Files(other, "body").fingerprint()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n\n", "holds no text"),
        ("a.txt", b"abc\0def", "NUL at byte 3"),
        ("a.txt", "abc".encode("utf-16"), "UTF-16, but must be UTF-8"),
        ("a.txt", "abc".encode("utf-16-le"), "NUL at byte 1"),
        ("a.txt", b"ok\nno" + "中".encode("gb18030"), "not UTF-8, byte 0xd6 at byte 5, line 2; convert it"),
        ("a.txt", b"ab\xffcd", "not UTF-8, byte 0xff at byte 2"),
        ("a.txt", b"x" * (CHUNK - 1) + "é".encode()[:1] + b"y", f"not UTF-8, byte 0xc3 at byte {CHUNK - 1:,}"),
        ("a.txt", b"ab" + "é".encode()[:1], "not UTF-8, byte 0xc3 at byte 2"),
        ("a.pdf", b"%PDF", r"must end in one of \.txt, \.md, \.jsonl, \.csv, \.tsv, \.parquet \(all but"),
        ("a.parquet.gz", b"PAR1", "must end in one of"),
        ("a.parquet", b"PAR1 and no more", "not a whole Parquet file"),
        ("a.txt.zst", b"no archive", "a.txt.zst: "),
        ("a.csv", b"title,body\nx,y\n", "no column 'text'; its columns: title, body"),
        ("a.csv", b"text,label\nx,y\nz\n", "line 3: 1 fields, but the header names 2"),
        ("a.csv", b'text\n"never closed\n', "line 2: unexpected end of data"),
        ("a.jsonl", b'{"text": "x"}\n{"body": "y"}\n', "line 2: no column 'text'; its columns: body"),
        ("a.jsonl", b'{"text": "x"}\n{"text": ', "line 2: not JSON"),
        ("a.jsonl", b"[1, 2]\n", "line 1: must be a JSON object with a field 'text', found list"),
        ("a.jsonl", b'{"text": "x", "n": %s}\n' % (b"9" * 5000), "line 1: not JSON"),
        ("a.jsonl", b"[" * 100_000, "line 1: not JSON"),
        ("a.jsonl", b'{"text": ' * 100_000, "line 1: not JSON"),
        ("a.jsonl", b'{"text": 5}\n', "line 1: 'text' must be text, found int"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        documents(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"Some text.")[:-5])
    with pytest.raises(ConfigError, match=r"a\.txt\.gz: not a whole gzip archive"):
        documents(tmp_path / "a.txt.gz")


def test_an_archive_that_expands_too_far_is_refused(tmp_path: Path) -> None:
    """Within one chunk of the bound, whatever follows."""
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"word " * (HARMLESS // 5 + CHUNK)))
    read = 0
    with pytest.raises(
        ConfigError, match=r"a\.txt\.gz: expands to more than 100 times its size and 64 MiB, which no text does"
    ):
        for line in read_lines(path, cut=True):
            read += len(line)
    assert HARMLESS - 2 * CHUNK <= read <= HARMLESS


def test_archives_that_are_small_or_expand_little_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = write(tmp_path / "small.txt.gz", b"word " * CHUNK)
    assert sum(map(len, read_lines(small, cut=True))) == 5 * CHUNK > 100 * small.stat().st_size
    monkeypatch.setattr("ablate.data.corpora.lines.HARMLESS", CHUNK)
    raw = generator(0, "test").integers(97, 123, 3 * CHUNK, dtype="uint8").tobytes()
    assert sum(map(len, read_lines(write(tmp_path / "dense.txt.gz", raw), cut=True))) == len(raw)
    plain = write(tmp_path / "plain.txt", b"word " * CHUNK)
    assert sum(map(len, read_lines(plain, cut=True))) == 5 * CHUNK


NO_NAME = "x" * 5000


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (f"files:{NO_NAME}", "File name too long"),
        (f"files:/tmp/{NO_NAME}/a.txt", "File name too long"),
        (f"imdb:{NO_NAME}", "File name too long"),
        (f"hub:./{NO_NAME}", "File name too long"),
        (f"hub:{NO_NAME}", "the hub does not answer"),
        ("oracle:" + "9" * 5000, "whole numbers"),
        ("files:~nobody-of-this-name/a.txt", "there is no such home folder"),
        ("files:a\nb.txt", "no such file or folder"),
        (NO_NAME, "unknown corpus"),
    ],
)
def test_a_name_that_no_system_takes_is_refused_in_one_line(corpus: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_corpus(Data(corpus=corpus)).fingerprint()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("large", [False, True])
def test_a_parquet_row_is_a_document(tmp_path: Path, large: bool) -> None:
    kind = pyarrow.large_string() if large else pyarrow.dictionary(pyarrow.int32(), pyarrow.string())
    texts = pyarrow.array([f"Row {row}. It has two." if row % 3 else None for row in range(200)]).cast(kind)
    parquet.write_table(pyarrow.table({"else": [[1]] * 200, "body": texts, "label": list(range(200))}), tmp_path / "a.parquet")
    wanted = [Document((f"Row {row}.", "It has two."), str(row)) for row in range(200) if row % 3]
    assert documents(tmp_path / "a.parquet", "body") == wanted
    with pytest.raises(ConfigError, match="no column 'text'; its columns: else, body, label"):
        documents(tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match="row 1: 'else' must be text, found list"):
        documents(tmp_path / "a.parquet", "else")


def test_bytes_of_a_parquet_file_that_are_no_text_are_named(tmp_path: Path) -> None:
    spoilt = pyarrow.array([b"\xff\xfe"]).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"text": spoilt}), tmp_path / "a.parquet")
    with pytest.raises(ConfigError, match="not a whole Parquet file"):
        documents(tmp_path / "a.parquet")


def test_zstandard_is_read_frame_after_frame(tmp_path: Path) -> None:
    pack = pyarrow.Codec("zstd").compress
    raw = pack(b"One here.\n\n", asbytes=True) + pack("Zwei ünd.\n".encode(), asbytes=True)
    assert documents(write(tmp_path / "a.txt.zst", raw)) == [Document(("One here.",)), Document(("Zwei ünd.",))]
    bomb = write(tmp_path / "bomb.txt.zst", pack(b"0" * (HARMLESS + CHUNK), asbytes=True))
    with pytest.raises(ConfigError, match="expands to more than 100 times its size"):
        list(read_lines(bomb, cut=True))


def test_missing_paths_and_folders_without_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or folder"):
        open_corpus(Data(corpus=f"files:{tmp_path / 'none.txt'}"))
    with pytest.raises(ConfigError, match="no file in it ends in one of"):
        open_corpus(Data(corpus=f"files:{tmp_path}"))


@OPEN
@given(st.lists(TEXT, max_size=8), st.integers(1, 7))
def test_lines_are_whole_whatever_the_chunks(tmp_path: Path, texts: list[str], chunk: int) -> None:
    lines = [text.replace("\n", " ").replace("\r", " ").replace("\ufeff", " ") for text in texts]
    path = write(tmp_path / "a.txt", "\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablate.data.corpora.lines.CHUNK", chunk)
        assert "".join(read_lines(path)) == "\n".join(lines)
        assert [line.removesuffix("\n") for line in read_lines(path)] == (lines[:-1] if lines and not lines[-1] else lines)


def test_memory_is_bounded_though_no_line_and_no_document_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piece = 1 << 12
    monkeypatch.setattr("ablate.data.corpora.lines.CHUNK", piece)
    monkeypatch.setattr("ablate.data.corpora.units.LONGEST_DOCUMENT", piece)
    path = write(tmp_path / "a.txt", b"A word and another. " * (200 * piece // 20))
    tracemalloc.start()
    sizes = [sum(map(len, document.sentences)) for document in Files(path, "text").documents()]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(sizes) > 0.9 * path.stat().st_size
    assert max(sizes) < 3 * piece
    assert peak < 100 * piece


def test_a_whole_file_beyond_the_bound_is_several_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joined they are the file; below the bound it is one."""
    monkeypatch.setattr("ablate.data.corpora.lines.CHUNK", 64)
    monkeypatch.setattr("ablate.data.corpora.units.LONGEST_WHOLE", 1000)
    for raw in ("A line.  With spaces \n\n" * 100, "x" * 5000, "a " * 500 + "b"):
        texts = [document.sentences for document in Files(write(tmp_path / "a.txt", raw), "text", "file").documents()]
        assert "".join(text for (text,) in texts) == raw
        assert len(texts) > 1
        assert all(len(text) <= 1000 for (text,) in texts)
    assert list(Files(write(tmp_path / "a.txt", "y" * 1000), "text", "file").documents()) == [Document(("y" * 1000,))]


def test_a_line_or_a_whole_file_can_be_the_unit(tmp_path: Path) -> None:
    raw = "ROMEO:\n  What light? Soft.\n\nJULIET: Ay me!\n"
    path = write(tmp_path / "a.txt", raw)
    assert list(Files(path, "text", "file").documents()) == [Document((raw,))]
    lines = [Document((line,)) for line in ("ROMEO:", "What light? Soft.", "JULIET: Ay me!")]
    assert list(Files(path, "text", "line").documents()) == lines
    assert len({Files(path, "text", unit).fingerprint() for unit in ("auto", "paragraph", "line", "file")}) == 4


def test_a_folder_named_after_splits_keeps_them(tmp_path: Path) -> None:
    for name in ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"):
        write(tmp_path / name, f"A sentence of {name}.\n")
    corpus = Files(tmp_path, "text")
    assert corpus.describe()["text"].endswith("divided as the files are named")
    found = {document.sentences[0]: document.split for document in corpus.documents()}
    assert found == {f"A sentence of ptb.{name}.txt.": NAMED[name] for name in ("train", "valid", "test")}


NAMED = {"train": "train", "valid": "validation", "dev": "validation", "test": "test"}


@pytest.mark.parametrize("brought", [("train", "test"), ("train", "valid"), ("train", "dev"), ("train-1", "train-2")])
def test_a_missing_split_is_made_of_training_documents(tmp_path: Path, brought: tuple[str, str]) -> None:
    """One in twenty of them each; what the folder brings is kept."""
    for name in brought:
        write(tmp_path / f"{name}.tsv", "text\n" + "".join(f"{name} text {i}\n" for i in range(2000)))
    corpus = f"files:{tmp_path}"
    found = list(open_corpus(Data(corpus=corpus)).documents())
    assert len(found) == len(set(found)) == 4000
    division = {split: [d for d in found if split_of(d) == split] for split in SPLITS}
    trained = [name for name in brought if name.startswith("train")]
    for split, documents in division.items():
        given = [name for name in brought if NAMED.get(name, "train") == split and name not in trained]
        expected = len(trained) * 2000 * 0.05
        if given:
            assert {d.sentences[0].split()[0] for d in documents} == set(given)
            assert len(documents) == 2000
        elif split != "train":
            assert {d.sentences[0].split()[0] for d in documents} == set(trained)
            assert 0.6 * expected < len(documents) < 1.4 * expected
    text = prepare(Data(corpus=corpus, tokenizer="char", context=8))
    assert {split: text.split(split).documents for split in SPLITS} == {s: len(d) for s, d in division.items()}


@pytest.mark.parametrize("name", ["train.txt", "my-train-journey.txt", "test.txt", "dev.txt.gz"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_the_name_of_a_file_that_stands_alone_says_nothing(tmp_path: Path, name: str, in_folder: bool) -> None:
    content = "\n\n".join(f"A journey by train, day {i}." for i in range(400))
    path, plain = write(tmp_path / name, content), write(tmp_path.with_suffix(".txt"), content)
    data = Data(corpus=f"files:{tmp_path if in_folder else path}", tokenizer="char", context=8)
    assert list(open_corpus(data).documents()) == documents(plain)
    text = prepare(data)
    assert min(text.split(split).documents for split in SPLITS) > 0


@pytest.mark.parametrize("names", [("train.txt", "notes.txt"), ("test.txt", "dev.txt"), ("strain.txt", "latest.txt")])
def test_other_names_leave_the_division_to_the_hash(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        write(tmp_path / name, f"A sentence of {name}.\n")
    corpus = Files(tmp_path, "text")
    assert {document.split for document in corpus.documents()} == {""}
    assert corpus.describe()["text"].endswith("divided by the hash of a document")
