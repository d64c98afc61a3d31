"""Tasks for fine-tuning, one source to a file, and their names.

| task | source |
| --- | --- |
| `topic` | labels of the corpus itself; the default, needs no file |
| `bigram-shift` | sentences of the corpus itself, half of them with two words swapped; needs no file |
| `sst-2`, `cola`, `mrpc`, `sts-b`, `imdb` | `sst-2:FOLDER`; without a folder `$ABLATE_DATA/glue/SST-2` and so on; `sst-2:hub` |
| `files` | `files:FOLDER?first=COLUMN&label=COLUMN`: a user's own .tsv or .jsonl, see `files` |

Commas divide several tasks: `sst-2,cola,mrpc`.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from ablate.config import ConfigError, choose
from ablate.data.text import Text
from ablate.disk.cache import digest_of
from ablate.evaluation.reading import UnanswerableError
from ablate.evaluation.tasks import bigram_shift, files, glue, hub, imdb, topic
from ablate.evaluation.tasks.task import Task
from ablate.measure import digest

BUILT_IN = (*glue.GLUE, "imdb")
FROM_CORPUS = {"topic": topic.load, "bigram-shift": bigram_shift.load}
NEEDS = {
    "topic": f"two labels with {topic.FEWEST} validation documents or more, and a test document with one of them",
    "bigram-shift": f"held-out sentences of {bigram_shift.SHORTEST} to {bigram_shift.LONGEST} words",
}
"""Why a corpus cannot give one of these tasks."""
NAMES = (*FROM_CORPUS, *BUILT_IN, "files")
FEW = 100
"""The largest number of files that are identified by their contents; more are identified by names and sizes."""


def split(tasks: str) -> tuple[str, ...]:
    """Return the names in `tasks`; `ConfigError` if one is unknown or occurs twice, or if there are none."""
    named = tuple(name.strip() for name in tasks.split(","))
    for name in named:
        kind, colon, argument = name.partition(":")
        choose(kind, NAMES, "task")
        if kind in FROM_CORPUS and colon:
            raise ConfigError(f"task {name!r}, but {kind} takes no argument after a colon: its examples come from the corpus")
        if kind == "files" and not argument:
            raise ConfigError(f"task {name!r}, but must name a folder: files:FOLDER?first=COLUMN&label=COLUMN")
    if len(set(named)) < len(named):
        raise ConfigError(f"tasks = {tasks!r}, but each task may be named once only")
    return named


def load(tasks: str, text: Text) -> list[Task]:
    """Return the tasks named in `tasks`, without those that the corpus cannot give, such as `topic` without labels.

    Raises `UnanswerableError` if it can give none of them.
    """
    candidates = [FROM_CORPUS[name](text) if name in FROM_CORPUS else _load(name, fingerprint(name)) for name in split(tasks)]
    loaded = [task for task in candidates if task is not None]
    if not loaded:
        needs = "; ".join(f"{name} needs {NEEDS[name]}" for name in split(tasks))
        raise UnanswerableError(f"the text gives no example of {tasks}: {needs}")
    names = [task.name for task in loaded]
    if len(set(names)) < len(names):
        raise ConfigError(f"two tasks are called {max(names, key=names.count)!r}; rename a folder")
    return loaded


def fingerprint(tasks: str) -> str:
    """Return a digest of the files' contents, for all named tasks. The location does not count, and nothing is parsed."""
    contents = []
    for name in split(tasks):
        kind, _, argument = name.partition(":")
        # The folder names a user's own task, and the text-to-text question begins with that name.
        folder, _, query = argument.partition("?")
        settings = (Path(folder).name, query) if kind == "files" else argument == "hub"
        contents.append((kind, settings, _contents(_paths(name))))
    return digest(contents)


def _contents(paths: tuple[Path, ...]) -> list[str]:
    """Digests of few files, names and sizes of many: fifty thousand digests, as for IMDB, would cost seconds a run."""
    if len(paths) > FEW:
        return [f"{path.parent.name}/{path.name} {path.stat().st_size}" for path in paths]
    return [digest_of(path) for path in paths]


@functools.lru_cache(maxsize=4)
def _load(name: str, contents: str) -> Task:
    """Cached by name and contents, so that a changed file is read again."""
    kind, _, argument = name.partition(":")
    if kind == "files":
        return files.load(argument)
    if argument == "hub":
        return hub.load(kind)
    return imdb.load(_folder(name)) if kind == "imdb" else glue.load(kind, _folder(name))


def _paths(name: str) -> tuple[Path, ...]:
    kind, _, argument = name.partition(":")
    if kind in FROM_CORPUS or argument == "hub":
        return ()
    if kind == "files":
        return files.paths(argument)
    return imdb.paths(_folder(name)) if kind == "imdb" else glue.paths(kind, _folder(name))


def _folder(name: str) -> Path:
    kind, _, argument = name.partition(":")
    if argument:
        return Path(argument).expanduser()
    below = Path("imdb") if kind == "imdb" else Path("glue") / glue.GLUE[kind].folder
    root = os.environ.get("ABLATE_DATA")
    if not root:
        raise ConfigError(f"task {kind!r} needs its files: write {kind}:FOLDER or {kind}:hub, or set ABLATE_DATA for {below}")
    return Path(root).expanduser() / below
