"""TCP ports on 127.0.0.1: the usual one when it is free, else any free one, and the same again at the next start."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def is_free(port: int) -> bool:
    """True when nothing listens on the port, so that a server can bind it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that nothing used a moment ago. Another process may still take it first: servers say so when they start."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def usual_or_free(usual: int) -> int:
    """The usual port, or a free one when it is taken."""
    return usual if is_free(usual) else free_port()


def kept_port(file: Path, *, usual: int) -> int:
    """The port written in `file` by an earlier start while it is still free, else `usual_or_free`; the answer is written back."""
    try:
        earlier = int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        earlier = usual
    port = earlier if is_free(earlier) else usual_or_free(usual)
    file.write_text(f"{port}\n", encoding="ascii")
    return port


def other_port(file: Path) -> int:
    """Another port, kept in `file` for the next start: the one that was free a moment ago is taken."""
    port = free_port()
    file.write_text(f"{port}\n", encoding="ascii")
    return port
