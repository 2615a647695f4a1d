"""Which function does which kind of job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from annotations import tasks
from annotations.actions.claims import PATIENCE_SECONDS, Claim

Work = Callable[[Claim], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Handler:
    kind: str
    work: Work
    patience: float  # seconds without a sign of life after which it is taken for hung


_handlers: dict[str, Handler] = {}


def handles(kind: str, *, patience: float = PATIENCE_SECONDS) -> Callable[[Work], Work]:
    """Let the function do all jobs of this kind. It takes the Claim and returns what JSON can hold, or nothing.

    It calls ``claim.progress``, ``claim.log`` or ``claim.check`` every second or so, lets their exceptions pass, and
    can be run again from the start or from its own checkpoint after the worker was killed half-way.
    """

    def register(work: Work) -> Work:
        known = _handlers.get(kind)
        if known is not None and (known.work.__module__, known.work.__qualname__) != (
            work.__module__,
            work.__qualname__,
        ):
            raise ValueError(f"two functions for jobs of kind {kind!r}: {known.work} and {work}")
        _handlers[kind] = Handler(kind, work, patience)
        return work

    return register


def handler_of(kind: str) -> Handler | None:
    """Its handler. Modules of ``annotations.tasks`` are imported until one brings it, since some of them load a lot."""
    if kind not in _handlers:
        for _module in load():
            if kind in _handlers:
                break
    return _handlers.get(kind)


def load() -> Iterator[str]:
    """Import the modules with handlers, one after the other."""
    for module in iter_modules(tasks.__path__):
        name = f"{tasks.__name__}.{module.name}"
        import_module(name)
        yield name
