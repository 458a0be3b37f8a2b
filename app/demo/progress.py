"""What the person sees meanwhile: a live view on a terminal, now and then a line elsewhere."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

LINE_EVERY_SECONDS = 2.0
FEED_LINES = 6


@dataclass
class Figures:
    """Counts by state; `total` is None while it is not known yet."""

    title: str
    done: int = 0
    total: int | None = None
    states: dict[str, int] = field(default_factory=dict)
    per_second: float | None = None
    remark: str = ""
    feed: deque[str] = field(default_factory=lambda: deque(maxlen=FEED_LINES))


class View:
    """Shows figures as they change. Steps that have ended are printed above it, and stay."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._line_at = 0.0

    def step(self, text: str) -> None:
        """A step that has ended, as a line that stays."""
        self._console.print(Text.assemble(("✓ ", "green"), text), soft_wrap=True)

    def warn(self, text: str) -> None:
        self._console.print(Text.assemble(("! ", "yellow"), text), soft_wrap=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While the block runs, `show` redraws in place (on a terminal)."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    def show(self, figures: Figures) -> None:
        """The newest figures."""
        if self._live is not None:
            self._live.update(_drawn(figures))
        elif time.monotonic() - self._line_at >= LINE_EVERY_SECONDS:
            self._line_at = time.monotonic()
            self._console.print(Text(_line(figures)), soft_wrap=True)


def _drawn(figures: Figures) -> RenderableType:
    heading = Text.assemble((figures.title, "bold"), _pace(figures), ("  " + figures.remark, "dim"))
    bar = ProgressBar(total=figures.total, completed=figures.done, width=60, pulse=figures.total is None)
    states = Table.grid(padding=(0, 3))
    for _name in figures.states:
        states.add_column(justify="right")
    states.add_row(*(Text(name, style="dim") for name in figures.states))
    states.add_row(*(f"{count:,}" for count in figures.states.values()))
    feed = (Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in figures.feed)
    return Group(heading, bar, states, *feed)


def _line(figures: Figures) -> str:
    states = ", ".join(f"{count:,} {name}" for name, count in figures.states.items() if count)
    return f"  {figures.title}: {states or 'nothing yet'}{_pace(figures)}  {figures.remark}".rstrip()


def _pace(figures: Figures) -> str:
    return "" if figures.per_second is None else f"  {figures.per_second:,.0f} a second"
