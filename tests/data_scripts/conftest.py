"""A web server that misbehaves as real ones do."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_scripts import fetch
from tests.data_scripts import archives
from wsss_lib.cli import app

SILENCE = 20  # seconds


class Server(ThreadingHTTPServer):
    """Serves ``content`` under every path; the path says how.

    /good honours ranges, /whole ignores them, /cut breaks off half-way, /wrong flips a byte,
    /stall falls silent for SILENCE, /move redirects to /good, /login answers with a web page, /gone
    with 404.
    """

    content = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.closing = threading.Event()
        self.asked: list[tuple[str, str | None]] = []

    def url(self, how: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{how}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        how, wanted = self.path.strip("/"), self.headers.get("Range")
        self.server.asked.append((how, wanted))
        body, start = self.server.content, 0
        if how == "gone":
            return self.send_error(404)
        if how == "move":
            return self.answer(302, b"", Location="/good")
        if how == "login":
            return self.answer(200, b"<html>log in</html>", **{"Content-Type": "text/html"})
        if wanted and how != "whole":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(body):
            return self.send_error(416)
        if how == "wrong":
            body = bytes([body[0] ^ 1]) + body[1:]
        part = body[start:]
        if how in ("cut", "stall"):
            self.begin(206 if start else 200, len(part), start)
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            if how == "stall":
                self.server.closing.wait(SILENCE)
            self.close_connection = True
            return None
        return self.answer(206 if start else 200, part, start)

    def begin(self, code: int, length: int, start: int = 0, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        if code == 206:
            size = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, code: int, body: bytes, start: int = 0, **headers: str) -> None:
        self.begin(code, len(body), start, **headers)
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server; set its ``content``."""
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.closing.set()
        running.shutdown()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch) -> None:
    """Nobody waits between two tries."""
    monkeypatch.setattr(fetch, "WAIT", 0)


@pytest.fixture
def tiny(monkeypatch) -> None:
    """The scripts take tiny archives for the real ones."""
    archives.forget_checksums(monkeypatch)


@pytest.fixture
def healthy():
    """Ask the doctor, who must find nothing."""

    def ask(root: Path) -> None:
        answer = CliRunner().invoke(app, ["doctor", str(root)])
        assert answer.exit_code == 0, answer.output

    return ask
