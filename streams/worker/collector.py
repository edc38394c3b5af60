"""Python's garbage collector, set for a process that keeps millions of objects for a month."""

import gc


def calm_collector() -> None:
    """Let it look at new objects alone, nearly always.

    Counters and what they belong to live long and make hardly a cycle: walking over all of them as
    often as Python does by default takes a quarter of the time of loading.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 1_000)
