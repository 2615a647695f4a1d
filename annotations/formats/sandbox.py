"""Reading hostile files in a child process that may use so much memory and so much time and no more.

The child is a fresh interpreter in a session of its own; limits are set before it imports or opens anything, it dies
with its parent, and its whole process group is killed when the time is up or the reader loses interest. It answers in
JSON lines: what a taken-over child says can at worst be wrong, never run.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from annotations.formats.rows import FileRefused
from tagstudio.child import step_back

ROOT = Path(__file__).resolve().parent.parent.parent
LINE_BYTES = 64 * 1024**2
"""The longest line a child may say: beyond it the child is not believed."""
PR_SET_PDEATHSIG = 1
EXIT_MEMORY = 77


def run_limited(function: Callable[..., Any], *args: Any, seconds: float = 60, megabytes: int = 512) -> Any:
    """The value of ``function(*args)``, worked out in a child. See :func:`stream_limited` for what may be passed."""
    values = list(stream_limited(_only, _name_of(function), list(args), seconds=seconds, megabytes=megabytes))
    return values[0]


class Encoded(str):
    """An item that is JSON already, in one line."""

    __slots__ = ()


def stream_limited(
    function: Callable[..., Iterator[Any]],
    *args: Any,
    seconds: float = 600,
    megabytes: int = 512,
    answer: Callable[[Any], Any] | None = None,
) -> Iterator[Any]:
    """The items of ``function(*args)``, a generator, as they are made in a child.

    function:  a function of a module that can be imported by name
    args:      JSON values; items come back as JSON values (or ``Encoded``, which spares encoding them)
    answer:    answers what the child asks (:func:`ask`, :func:`answered`), in the order it asks, while items are waited
               for; questions and answers are JSON values, answers short enough for a pipe (60 kB)
    seconds:   time the child may be waited for, all items together, and its processor time
    megabytes: address space of the child

    Raises FileRefused: what the child raised itself, or ``sandbox-time``, ``sandbox-memory``, ``sandbox-died``. Closing
    the iterator kills the child.
    """
    request = json.dumps({"function": _name_of(function), "args": args, "seconds": seconds, "megabytes": megabytes})
    child = subprocess.Popen(
        [sys.executable, "-c", "from annotations.formats.sandbox import main; raise SystemExit(main())"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
        # One thread each: memory is limited by address space, and every thread's arena takes its share of it.
        env={**_environment(), "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("a child without pipes")
    try:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(request.encode() + b"\n")
            child.stdin.flush()
        for line in _lines(child.stdout, seconds):
            message = json.loads(line)
            if "item" in message:
                yield message["item"]
            elif "ask" in message and answer is not None:
                said = json.dumps(answer(message["ask"])).encode()
                with contextlib.suppress(BrokenPipeError):  # why it is gone is told below
                    child.stdin.write(said + b"\n")
                    child.stdin.flush()
            elif "refused" in message:
                raise FileRefused.from_json(message["refused"])
            elif message.get("done"):
                return
        _explain(child, seconds, megabytes)
    except ValueError as error:
        raise FileRefused("sandbox-died", detail="an answer that is no JSON") from error
    finally:
        _end(child)


def _environment() -> dict[str, str]:
    """What a reader of files needs of the environment, and no secrets."""
    return {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH")}


def _name_of(function: Callable[..., Any]) -> str:
    name = f"{function.__module__}:{function.__qualname__}"
    if "<" in name:
        raise ValueError(f"{name} can't be imported by name")
    return name


def _lines(stream: IO[bytes], seconds: float) -> Iterator[bytes]:
    """Whole lines as they come; FileRefused when the child has been waited for too long.

    Only waiting counts, so a reader that takes its time with each item does not use up the child's.
    """
    descriptor = stream.fileno()
    buffer = bytearray()
    left = seconds
    while True:
        before = time.monotonic()
        ready = left > 0 and select.select([descriptor], [], [], left)[0]
        left -= time.monotonic() - before
        if not ready:
            raise FileRefused("sandbox-time", limit=f"{seconds:g}")
        block = os.read(descriptor, 1 << 18)
        if not block:
            return
        buffer += block
        if b"\n" in block:
            *whole, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            yield from whole
        elif len(buffer) > LINE_BYTES:
            raise FileRefused("sandbox-died", detail="an answer without an end")


def _explain(child: subprocess.Popen[bytes], seconds: float, megabytes: int) -> None:
    """The child ended without saying so: by memory, by time, or by an accident."""
    try:
        code = child.wait(5)
    except subprocess.TimeoutExpired:
        code = None
    if code == EXIT_MEMORY:
        raise FileRefused("sandbox-memory", limit=megabytes)
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise FileRefused("sandbox-time", limit=f"{seconds:g}")
    raise FileRefused("sandbox-died", detail=f"exit {code}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """The child and everything it may have started are gone when this returns."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    child.wait(10)


def ask(question: Any) -> None:
    """In the child: put a question to the parent, who answers when it next waits for an item."""
    _say({"ask": question})


def answered() -> Any:
    """In the child: the answer to the earliest question that waits for one."""
    return json.loads(sys.stdin.buffer.readline())


def _only(name: str, args: list[Any]) -> Iterator[Any]:
    yield _function(name)(*args)


def _function(name: str) -> Callable[..., Any]:
    module, _, path = name.partition(":")
    value: Any = importlib.import_module(module)
    for part in path.split("."):
        value = getattr(value, part)
    return value  # type: ignore[no-any-return]


def _confine(seconds: float, megabytes: int) -> None:
    """Limits of this process, for good: memory, processor time, core files, and death with the parent."""
    with contextlib.suppress(OSError, AttributeError):  # Linux only; elsewhere the parent's kill has to do
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    space = megabytes * 1024**2
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    cpu = int(seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """Reads one request from standard input and answers it on standard output."""
    request = json.loads(sys.stdin.buffer.readline())
    _out.append(sys.stdout.buffer)
    sys.stdout = sys.stderr  # nothing but answers may reach the pipe
    step_back(0)  # as far as whoever asked, though the session is our own
    _confine(request["seconds"], request["megabytes"])
    try:
        for item in _function(request["function"])(*request["args"]):
            if isinstance(item, Encoded):
                _write(b'{"item":' + item.encode("utf-8", "surrogatepass") + b"}\n")
            else:
                _say({"item": item})
        _say({"done": True})
    except FileRefused as refused:
        _say({"refused": refused.to_json()})
    except MemoryError:
        return EXIT_MEMORY
    return 0


_out: list[IO[bytes]] = []
"""In the child: the pipe to the parent."""


def _say(message: dict[str, Any]) -> None:
    _write(json.dumps(message).encode() + b"\n")


def _write(line: bytes) -> None:
    _out[0].write(line)
    _out[0].flush()  # an item is to be seen when it is made, not when the pipe is full
