"""What a hostile file makes a reader do, for the sandbox's tests: imported by name in the child."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from annotations.formats.rows import FileRefused
from annotations.formats.sandbox import answered, ask


def double(value: int) -> int:
    return 2 * value


def eat_memory(megabytes: int) -> int:
    return len(bytearray(megabytes * 1024**2))


def sleep_on(seconds: float) -> None:
    time.sleep(seconds)


def spin() -> None:
    while True:
        pass


def refuse() -> None:
    raise FileRefused("old-excel", "a.xls")


def crash() -> None:
    os._exit(9)


def talk(to: str) -> None:
    os.write(1, to.encode())


def count_up(n: int) -> Iterator[Any]:
    for i in range(n):
        yield {"n": i, "pid": os.getpid()}


def fork_and_wait() -> Iterator[Any]:
    if os.fork() == 0:
        time.sleep(300)
        os._exit(0)
    yield os.getpid()
    time.sleep(300)


def environment() -> dict[str, str]:
    return dict(os.environ)


def curious(n: int) -> Iterator[int]:
    """Asks twice before it takes an answer."""
    for number in range(n):
        ask(number)
        if number:
            yield answered()
    yield answered()
