"""Ctrl-C at any moment ends a command with one line."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("seconds", [0.02, 0.4, 0.9, 1.6, 2.5])
def test_no_traceback_while_a_command_starts(tmp_path: Path, seconds: float) -> None:
    """The forkserver imports torch meanwhile, and a terminal sends Ctrl-C to it too."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ABLATE_CACHE": str(tmp_path / "cache")}
    # What comes before it is Python's own start.
    command = [sys.executable, "-c", "from ablate.__main__ import main; print(flush=True); raise SystemExit(main())"]
    study = [str(ROOT / "studies" / "bert_masking.py"), "--tier", "smoke", "--corpus", "grammar"]
    process = subprocess.Popen(
        [*command, "run", *study],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
        start_new_session=True,
        # What starts the tests in the background of a shell ignores Ctrl-C, and its children inherit that.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler),
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Traceback" not in errors and "KeyboardInterrupt" not in errors
    assert [line for line in errors.splitlines() if line.startswith("ablate: interrupted")], errors
    # A shell shows both as 130.
    assert process.returncode in (130, -signal.SIGINT)
