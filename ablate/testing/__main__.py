"""`python -m ablate.testing --objective package:Name`: the contract on a class, by pytest, whose options may follow."""

from __future__ import annotations

import sys

import pytest


def main(arguments: list[str]) -> int:
    """Exit status of pytest: 0 when the contract is kept, 1 when it is not."""
    # Without the cache and without what the current folder tells pytest: it may be any folder.
    alone = ["-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir=.", "-p", "ablate.testing.plugin"]
    return int(pytest.main([*alone, "--pyargs", "ablate.testing.test_contracts", *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
