"""What was measured: one row of the table, and one key of the JSON object."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """`value` is None where it could not be measured; `detail` says how it was, or why it was not."""

    key: str
    title: str
    value: float | None
    unit: str
    goal: str
    detail: str


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of rounds that were interleaved: the median of the ratios of the rounds that ran beside each other."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def as_object(figures: Sequence[Figure]) -> dict[str, float | None]:
    return {each.key: None if each.value is None else round(each.value, 3) for each in figures}


def as_table(figures: Sequence[Figure]) -> Table:
    table = Table(title="Measured in this run", title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("how", overflow="fold")
    for each in figures:
        value = "not measured" if each.value is None else f"{each.value:,.2f} {each.unit}".rstrip()
        table.add_row(each.title, value, each.goal, each.detail)
    return table
