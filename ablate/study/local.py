"""Local reports: a folder of its own for each size, text and change of a study, and a page that leads to the latest.

    reports/local/bert-masking-quick/                           the study as its file has it, at tier quick
    reports/local/bert-masking-quick-grammar/                   on another corpus of the project
    reports/local/bert-masking-quick-wikitext-2-3f2a91/         on a text of one's own
    reports/local/bert-masking-quick-tokens-100000-b04c7e/      with --set budget.tokens=100000
    reports/local/bert-masking-quick-part/                      with --only, while other arms have runs to do
    reports/local/README.md, index.html                         the list of them all
    reports/local/latest.html                                   leads to the report that was written last

A name is readable, and two reports of unlike numbers never share one: six hexadecimal digits stand for what the words cannot
tell, such as the bytes of a text.
"""

from __future__ import annotations

import html
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ablate.config import ConfigError, Scalar, flatten
from ablate.disk import files
from ablate.measure import digest
from ablate.notice import notice
from ablate.report.index import TITLE, compile_index
from ablate.study.arms import COMPARISON, arms, configure
from ablate.study.options import Setup

LATEST = "latest.html"
PART = "part"
CORPUS = "data.corpus"
READABLE = 40
"""Characters of a name that tell what was changed."""


def folder_name(setup: Setup) -> str:
    """The name of the report's folder, from the study and what the command changed of it."""
    options, changed = setup.options, changes(setup)
    corpus = str(changed.pop(CORPUS, ""))
    words = [_corpus(corpus)] if corpus else []
    words += [f"{path.rpartition('.')[2]}-{str(value).rpartition('/')[2]}" for path, value in changed.items()]
    words += [f"{path.rpartition('.')[2]}-{'-'.join(map(str, levels))}" for path, levels in options.vary.items()]
    words += [f"without-{name}" for name in setup.options.without]
    told = _slug("-".join(words))[:READABLE].strip("-.")
    # A corpus of the project is told by its name alone.
    whole = not (changed or options.vary or options.without or ":" in corpus)
    parts = [told, "" if whole else digest(_text(setup, corpus), changed, options.vary, sorted(options.without))[:6]]
    parts += [f"seeds-{setup.seeds}"] if setup.seeds != setup.tier.seeds else []
    return "-".join(part for part in (setup.study.name, setup.tier_name, *parts) if part)


def changes(setup: Setup) -> dict[str, Scalar]:
    """The fields of the base run that the command changed, with their new values."""
    own, now = flatten(setup.own.base), flatten(setup.study.base)
    return {path: now[path] for path in sorted(setup.options.overrides) if now[path] != own.get(path)}


def check_folders(setup: Setup) -> None:
    """Raise `ConfigError` unless runs and report can be written, before anything is trained."""
    reports = setup.options.reports
    for option, folder in (("--runs", setup.store.root), ("--reports", reports), ("--reports", reports / folder_name(setup))):
        here = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not here.is_dir():
            raise ConfigError(f"{option} {folder}: {here} is a file, but must be a folder")
        try:
            with tempfile.TemporaryFile(dir=here):
                pass
        except OSError as error:
            raise ConfigError(f"{option} {folder}: nothing can be written to {here}: {error.strerror}") from None


def announce(report: Path) -> None:
    """Renew the list of the reports beside this one, and the page that leads to it. A list that cannot be made is said."""
    reports = report.parent
    target = html.escape(f"{report.name}/index.html", quote=True)
    page = f'<!doctype html><meta charset="utf-8"><title>{html.escape(report.name)}</title>'
    page += f'<meta http-equiv="refresh" content="0; url={target}"><a href="{target}">{html.escape(report.name)}</a>\n'
    files.write(reports / LATEST, page)
    if not _ours(reports / "README.md"):
        notice(f"{reports / 'README.md'} is no list of reports and stays as it is; --reports DIR writes to another folder")
        return
    try:
        compile_index(reports)
    except ConfigError as error:
        notice(f"the list of reports in {reports} is not renewed: {error}")


def _ours(page: Path) -> bool:
    """Whether a list of reports may be written to this page: there is none, or it is one."""
    return not page.exists() or page.read_text(encoding="utf-8", errors="replace").startswith(f"# {TITLE}\n")


def _corpus(corpus: str) -> str:
    kind, _, argument = corpus.partition(":")
    name = Path(argument).name if kind == "files" else corpus
    return name.partition(".")[0] or name if kind == "files" else name


def _text(setup: Setup, corpus: str) -> str:
    """What tells one text from another: the digest of its bytes, or its name where the study reads none."""
    baseline = arms(setup.study, 1)[0]
    found: Mapping[str, str] = setup.store.identity(configure(setup.study, baseline, COMPARISON, {})).ingredients
    return found.get("corpus", corpus) if corpus else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
