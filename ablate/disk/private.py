"""Files that nobody but the user or root can have written; code that a cache holds must be one before it runs.

    /   home   me   .cache   ablate   kernels   0a1b2c   native.so        each is opened from the one before, and judged

A path is no promise: others may exchange what it names between a check and a use. So each component is opened once, from the
one before, and judged by its descriptor. What is read at the end is read from a descriptor as well.

- The owner is the user or root.
- Neither the group nor others can write. A sticky folder of root such as /tmp may be written by all, because there nobody
  renames what belongs to another. A group may write where the user is its only member.
- A link to a folder is followed if the user or root made it, and its target is judged as well. A link to a file is refused.

The rules are those of sshd's StrictModes, with Debian's for groups. For Linux: a folder is opened by `O_PATH`, which needs no
permission to list it. What other file servers than this kernel's allow, such as access lists of NFSv4, is not seen.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ablate.config import ConfigError

LINKS = 40
"""As many as Linux follows in one path."""


def read(path: Path) -> bytes:
    """The bytes of a private file; errors as `opened`."""
    with opened(path) as handle, open(handle, "rb", closefd=False) as file:
        return file.read()


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor for reading a private file.

    Raises `FileNotFoundError` if it is not there, and else `ConfigError`, which names the component and what is wrong with it.
    """
    with folder(path.parent) as (parent, place):
        here = os.path.join(place, path.name)
        # Without O_NONBLOCK a named pipe would wait for a writer.
        handle = _open(path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, parent, here)
    try:
        if not stat.S_ISREG(_judged(handle, here).st_mode):
            raise ConfigError(f"{here} is not a regular file")
        yield handle
    finally:
        os.close(handle)


@contextmanager
def folder(path: Path) -> Iterator[tuple[int, str]]:
    """A descriptor of a private folder for `dir_fd`, and the real path; errors as `opened`."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    here, handle = "/", os.dup(root)
    ahead, links = list(reversed(path.absolute().parts[1:])), 0
    try:
        _judged(handle, here)
        while ahead:
            name = ahead.pop()
            place = os.path.normpath(os.path.join(here, name))
            # This opens a link itself, and not what it points to.
            found = _open(name, os.O_PATH | os.O_NOFOLLOW, handle, place)
            try:
                kind = _judged(found, place).st_mode
                if stat.S_ISLNK(kind):
                    links += 1
                    if links > LINKS:
                        raise ConfigError(f"{path} has more than {LINKS} links")
                    target = os.readlink("", dir_fd=found)
                    ahead += reversed([part for part in target.split("/") if part])
                    if target.startswith("/"):
                        os.dup2(root, handle, inheritable=False)
                        here = "/"
                    continue
                if not stat.S_ISDIR(kind):
                    raise ConfigError(f"{place} is not a folder")
                handle, found, here = found, handle, place
            finally:
                os.close(found)
        yield handle, here
    finally:
        os.close(handle)
        os.close(root)


def _open(name: str, flags: int, parent: int, place: str) -> int:
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError as error:
        raise FileNotFoundError(error.errno, error.strerror, place) from None
    except OSError as error:
        reason = "a link, not a file" if error.errno == errno.ELOOP else f"closed to you ({error.strerror})"
        raise ConfigError(f"{place} is {reason}") from None


def _judged(handle: int, place: str) -> os.stat_result:
    """What is open here, if only the user or root can write it."""
    found = os.fstat(handle)
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{place} can be written by others: it belongs to {_user(found.st_uid)}")
    # A link has no mode of its own, and is never changed but replaced, for which the folder above was judged.
    if not stat.S_ISLNK(found.st_mode) and _others_write(found, handle):
        mode = f"its mode is {stat.S_IMODE(found.st_mode):04o} and its group {_group(found.st_gid)}"
        raise ConfigError(f"{place} can be written by others: {mode}; `chmod go-w {shlex.quote(place)}`")
    return found


def _others_write(found: os.stat_result, handle: int) -> bool:
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX and found.st_uid == 0:
        return False
    by_group = bool(found.st_mode & stat.S_IWGRP) and not (_is_own(found.st_gid) and not _has_access_list(handle))
    return by_group or bool(found.st_mode & stat.S_IWOTH)


def _is_own(group: int) -> bool:
    """Whether this is the group that many systems make for each user, with that user alone in it."""
    try:
        user, members = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    named_so = user.pw_gid == group and members.gr_name == user.pw_name
    # Whoever has it as the first group is a member without being listed as one.
    by_first_group = {one.pw_name for one in pwd.getpwall() if one.pw_gid == group}
    return named_so and {*members.gr_mem, *by_first_group} <= {user.pw_name}


def _has_access_list(handle: int) -> bool:
    """Whether the write bit of the group may stand for users that an access list names."""
    try:
        return bool(os.getxattr(f"/proc/self/fd/{handle}", "system.posix_acl_access"))
    except OSError as error:
        return error.errno not in (errno.ENODATA, errno.ENOTSUP)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
