"""Kind `publish`: whichever file operation of `publish` fails, the published report is the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ablate.config import ConfigError
from ablate.report import evidence
from ablate.study.publish import publish
from tests.faults.forked import forked
from tests.faults.injector import Injector, Operation
from tests.faults.operations import Try, files_of, possible, reports, study, with_little, wrong_end

NAME = "planted"


class Publishing:
    """Faults of a second publication: a report of two seeds stands there, one of three seeds replaces it."""

    name = "publish"

    def __init__(self, folder: Path) -> None:
        with_little()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self._before = folder / "before"
            assert study(folder / "old", seeds=2) == 0 and study(folder / "new", seeds=3) == 0
            local = self._before / "local" / NAME
            shutil.copytree(reports(folder / "old")[0], local)
            self._old = files_of(publish(NAME, self._before))
            shutil.rmtree(local)
            shutil.copytree(reports(folder / "new")[0], local)
            after = folder / "after"
            shutil.copytree(self._before, after)
            self._new = files_of(publish(NAME, after))
        self._after = files_of(after)
        assert self._old != self._new
        counted = folder / "counted"
        shutil.copytree(self._before, counted)
        assert forked(lambda: _listed(counted)).status == 0
        self._operations = [Operation(*each) for each in json.loads((folder / "counted.json").read_text())]

    def tries(self, limit: int | None, seed: int) -> list[Try]:
        """Every operation with every fault that can meet it, or `limit` of them."""
        found = possible(self._operations)
        return found if limit is None or limit >= len(found) else sorted(random.Random(seed).sample(found, limit))

    def attempt(self, one: Try, folder: Path) -> Iterator[str]:
        """Break the operation, look at the report, then publish again."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._before, folder)
        broken = forked(lambda: _published(folder, Injector((folder,), one.fault, one.number)))
        yield from wrong_end(broken, killed=one.fault in ("torn", "kill"))
        found = files_of(folder / NAME)
        if found not in (self._old, self._new):
            yield f"loss: the published report is neither the old nor the new one: {len(found)} files of {len(self._new)}"
        else:
            evidence.read(folder / NAME)
        again = forked(lambda: _published(folder))
        if again.status != 0 or again.traceback:
            yield f"loss: publishing again ends with {again.status}: {again.said[-300:]}"
        elif files_of(folder) != self._after:
            yield "silent: after publishing again the reports are not those of an undisturbed publication"


def _published(reports: Path, injector: Injector | None = None) -> int:
    """`ablate publish` on a folder of reports; its exit status."""
    if injector:
        injector.install()
    try:
        publish(NAME, reports)
    except (ConfigError, OSError) as error:
        print(f"ablate: {error}", file=sys.stderr)
        return 2
    return 0


def _listed(reports: Path) -> int:
    injector = Injector((reports,))
    status = _published(reports, injector)
    reports.with_suffix(".json").write_text(json.dumps(injector.seen))
    return status
