"""When a process looks for garbage that refers to itself."""

import gc

YOUNG_OBJECTS = 50_000  # between two looks: a batch of an import makes that many, and none of them is garbage


def collect_rarely() -> None:
    """Call once, when everything is imported and before the work begins.

    With Python's own setting, looking for cycles took half of an import's time, and stopped the API for a quarter of a second
    when a thousand sockets were open; most of what was looked at were the modules, which never go.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
