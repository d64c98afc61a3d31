"""A program that tries a tokenizer: `python tokenizer_trial.py < tokenizer.json`. One that ends its process ends this one.

The `tokenizers` library aborts on some files, for instance where a table claims more memory than there is, and nothing in the
same process can catch that. This program prints what is wrong and exits with 1, or dies. It imports nothing of `ablate`,
which need not be on its path.
"""

from __future__ import annotations

import contextlib
import resource
import sys

import tokenizers

MEMORY = 4 << 30
"""Bytes of address space."""
SECONDS = 60
"""Processor time."""
PROBE = (
    "The quick (brown) Fox jumps over 2 lazy dogs' backs, naïve café! <unk> [MASK] a@b.c #1 $2 %3\tx\n\n"
    + "a" * 200
    + " \u4e2d\u6587\u3002 \u0440\u0443\u0441 \u05d0\u0301 \u00bd\ufb01 \U0001f642 \u2581"
)


def main() -> int:
    """Read the tokenizer on standard input, encode and decode a text that holds something of everything."""
    for limit, value in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        # Some systems refuse a limit; the trial is then as good as without one.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))
    try:
        model = tokenizers.Tokenizer.from_str(sys.stdin.buffer.read().decode("utf-8"))
        model.decode(model.encode_batch_fast([PROBE], add_special_tokens=False)[0].ids, skip_special_tokens=False)
    except BaseException as error:  # A panic of the library is no Exception.
        print(" ".join(str(error).split()) or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
