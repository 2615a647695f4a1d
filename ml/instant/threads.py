"""Several cores without a BLAS that waits for its own threads.

On a machine that does other things as well, a matrix product of some hundred rows spread over two BLAS threads takes
longer than on one, and a decomposition ten times as long. So work is cut into parts that need nothing of each other
(blocks of products, groups of tags), and each part runs on one thread with one BLAS thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

THREADS = max(1, min(os.cpu_count() or 1, 8))
Part = TypeVar("Part")


@cache
def _controller() -> ThreadpoolController:
    """Looks once for the libraries that are loaded; each look takes tens of milliseconds."""
    return ThreadpoolController()


def one_blas_thread() -> Any:
    """A context in which this process's BLAS uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


def in_parallel(work: Callable[[Part], None], parts: Iterable[Part]) -> None:
    """``work`` on every part, as many at a time as there are cores. Raises what a part raised."""
    todo = list(parts)
    with one_blas_thread():
        if len(todo) < 2 or THREADS < 2:
            for part in todo:
                work(part)
            return
        with ThreadPoolExecutor(min(THREADS, len(todo))) as pool:
            for done in [pool.submit(work, part) for part in todo]:
                done.result()
