"""A real HTTP server that speaks the chat completions protocol, well or badly as a test wants it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


def completion(content: Any, tokens: tuple[int, int] | None = (100, 10)) -> Answer:
    text = content if isinstance(content, str) else json.dumps(content)
    body: dict[str, Any] = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    if tokens is not None:
        body["usage"] = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
    return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


def error(status: int, message: str = "", **headers: str) -> Answer:
    body = json.dumps({"error": {"message": message, "code": "some_code"}}).encode()
    return status, {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}, body


@dataclass
class Server:
    """``answer`` is called with each request's body and gives what to say; ``slowly`` sends a byte a second."""

    port: int = 0
    answer: Callable[[dict[str, Any]], Answer] = lambda body: completion({})
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    slowly: bool = False
    cut: bool = False

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def endpoint(self) -> str:
        return f"http://{self.host}/v1"


@contextmanager
def serve() -> Iterator[Server]:
    said = Server()
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = json.loads(body) if body else {}
            said.requests.append(request)
            said.headers.append(dict(self.headers.items()))
            said.paths.append(self.path)
            status, headers, content = said.answer(request)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if said.cut:
                    self.wfile.write(content[: len(content) // 2])
                    return
                for at in range(len(content)) if said.slowly else ():
                    if over.wait(1.0):
                        return
                    self.wfile.write(content[at : at + 1])
                    self.wfile.flush()
                if not said.slowly:
                    self.wfile.write(content)
            except OSError:
                pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    said.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def wait_until(what: Callable[[], bool], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
