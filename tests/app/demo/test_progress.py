"""What a person sees meanwhile: on a terminal, and in a log."""

import io

from rich.console import Console

from app.demo.progress import Figures, View

IMPORTING = Figures("Importing", done=500, total=1000, states={"read": 1_500, "rejected": 0})
SENDING = Figures("Sending", done=2, total=None, states={"sent": 2}, per_second=41.6)
SENDING.feed.append("message.sent  [ada]@one.example  250 2.0.0 Ok")


def shown(*, terminal: bool) -> str:
    written = io.StringIO()
    view = View(Console(file=written, force_terminal=terminal, width=80, color_system=None, legacy_windows=False))
    with view.watching():
        view.show(IMPORTING)
        view.show(SENDING)
    view.step("Watched it: 2 sent")
    view.warn("[nothing] moved")
    return written.getvalue()


def test_a_terminal_shows_states_rate_and_the_latest_events() -> None:
    text = shown(terminal=True)

    assert "Sending  42 a second" in text
    assert "message.sent  [ada]@one.example  250 2.0.0 Ok" in text
    assert "✓ Watched it: 2 sent" in text
    assert "! [nothing] moved" in text


def test_a_log_gets_a_line_now_and_then_and_no_control_codes() -> None:
    text = shown(terminal=False)

    assert text.splitlines() == ["  Importing: 1,500 read", "✓ Watched it: 2 sent", "! [nothing] moved"]
