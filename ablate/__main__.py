"""`python -m ablate`, and the command `ablate`: it ends without a traceback even if Ctrl-C comes while it starts."""

import sys


def main() -> int:
    """Run one command and return its exit status; see `ablate.cli.main`."""
    try:
        from ablate.cli import main as run
    except KeyboardInterrupt:
        print("ablate: interrupted", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
