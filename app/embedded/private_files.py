"""Files that only their owner reads, and the lock that keeps one data folder to one process."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.errors import DataFolderInUse


def write_private(file: Path, text: str) -> None:
    """Writes the file whole or not at all, mode 0600 from its first byte."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)


def kept_word(file: Path) -> str:
    """The secret word in `file`; a random one is made and kept at the first call. It is safe in a URL and as a file name."""
    try:
        return file.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        word = secrets.token_hex(24)
        write_private(file, word + "\n")
        return word


class FolderLock:
    """Keeps a folder to one process at a time. The kernel drops the lock when its holder dies, however it dies."""

    def __init__(self, file: Path, *, busy: str) -> None:
        self._file = file
        self._busy = busy
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises DataFolderInUse with the sentence `busy` while another process (or another lock here) holds it."""
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise DataFolderInUse(self._busy) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextmanager
def held(lock: FolderLock) -> Iterator[None]:
    lock.take()
    try:
        yield
    finally:
        lock.release()
