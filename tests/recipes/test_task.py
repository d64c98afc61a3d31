"""A new downstream task: a file and a line where it is made of the corpus, a few lines where it is laid out like GLUE's."""

from __future__ import annotations

import json
from typing import Any

TASK = '''"""Length: is a document long? Made of the corpus."""

from __future__ import annotations

from ablate.data.text import Text
from ablate.evaluation.tasks.task import Example, Task


def load(text: Text) -> Task:
    """Longer than 74 words or not."""
    train, test = _examples(text, "validation"), _examples(text, "test")
    said = {"name": "length", "prompt": "length", "metrics": ("accuracy",), "fields": ("text",)}
    return Task(kind="classification", train=train, test=test, **said)


def _examples(text: Text, split: str) -> list[Example]:
    documents = [" ".join(document.sentences) for document in text.documents(split)]
    return [Example(words, "", "long" if len(words.split()) > 74 else "short") for words in documents]
'''
BENCHMARK = """    "rte": Benchmark(
        folder="RTE",
        columns=Columns(first="sentence1", second="sentence2", label="label"),
        labels={"entailment": "entailment", "not_entailment": "not_entailment"},
        metrics=("accuracy",),
        fields=("sentence1", "sentence2"),
        prompt="rte",
    ),"""
SAMPLE = """    "rte": (
        "index\\tsentence1\\tsentence2\\tlabel\\n",
        "0\\tNo weapons.\\tWeapons.\\tnot_entailment\\n1\\tA man.\\tA person.\\tentailment\\n",
        [("No weapons.", "Weapons.", "not_entailment"), ("A man.", "A person.", "entailment")],
    ),"""
LOADED = """
import json, sys
from ablate.evaluation import tasks
from ablate.evaluation.fine_tuning import FineTuning
from ablate.testing.english import english
(task,) = tasks.load(FineTuning(tasks="length").tasks, english())
print(json.dumps([task.name, task.classes]))
"""


def test_one_made_of_the_corpus_is_found_by_name(house: Any) -> None:
    house.write("ablate/evaluation/tasks/length.py", TASK)
    tasks = "ablate/evaluation/tasks/__init__.py"
    text = (house.root / tasks).read_text(encoding="utf-8")
    imports = next(line for line in text.splitlines() if line.startswith("from ablate.evaluation.tasks import "))
    registry = next(line for line in text.splitlines() if line.startswith("FROM_CORPUS = "))
    text = text.replace(imports, f"{imports}, length").replace(registry, registry.replace("}", ', "length": length.load}'))
    (house.root / tasks).write_text(text, encoding="utf-8")
    house.write("loaded.py", LOADED)
    assert json.loads(house.run("loaded")) == ["length", ["long", "short"]]


def test_a_benchmark_laid_out_like_glue_is_read_as_it_is_distributed(house: Any) -> None:
    house.add("ablate/evaluation/tasks/glue.py", "GLUE: dict[str, Benchmark] = {", BENCHMARK)
    house.add("tests/evaluation/tasks/test_built_in.py", "FILES = {", SAMPLE)
    house.test("tests/evaluation/tasks/test_built_in.py", "-k", "rte")


def test_a_task_of_ones_own_needs_no_code(house: Any) -> None:
    (house.root / "mood").mkdir()
    for part in ("train", "test"):
        house.write(f"mood/{part}.tsv", "words\tmood\na film\tgood\nno film\tbad\n")
    house.write("loaded.py", LOADED.replace("length", "files:mood?first=words&label=mood"))
    assert json.loads(house.run("loaded")) == ["mood", ["bad", "good"]]
