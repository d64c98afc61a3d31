"""The path in a setting, as a user writes it: `~` is a home folder, and what no file system takes is refused by name."""

from __future__ import annotations

from pathlib import Path

from ablate.config import ConfigError


def user_path(written: str, setting: str) -> Path:
    """The path `written`, which need not exist.

    Raises `ConfigError` that begins with the `setting` where the system cannot look it up.
    """
    try:
        path = Path(written).expanduser()
        # Whether it exists does not matter here; a name that is too long makes the question fail.
        path.exists()
    except OSError as error:
        raise ConfigError(f"{setting}, but its path cannot be read: {error.strerror}") from None
    except RuntimeError:
        raise ConfigError(f"{setting}, but there is no such home folder") from None
    return path
