"""An Ollama server that says what a test wants, in the form recorded from a real one (0.17.4); and a real one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from srelab_lib.clients.deadline import Deadline
from srelab_lib.clients.ollama import OllamaClient
from srelab_lib.errors import SrelabError

DATA = Path(__file__).parent / "data"
RECORDED: dict[str, dict[str, Any]] = json.loads((DATA / "ollama.json").read_text(encoding="utf-8"))
MODEL = "smollm2:135m"


class Scripted:
    """A running server: `url`, and what it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[dict[str, Any]] = []


def chat_lines(content: str, *, done_reason: Any = "stop", prompt_tokens: Any = 900) -> bytes:
    """The stream of a chat: the recorded lines with this content, in pieces of a few letters."""
    lines = [json.loads(line) for line in RECORDED["chat"]["body"].splitlines()]
    piece, last = lines[0], lines[-1]
    parts = [content[start : start + 7] for start in range(0, len(content), 7)]
    stream = [{**piece, "message": {**piece["message"], "content": part}} for part in parts]
    return b"".join(
        json.dumps(line).encode() + b"\n"
        for line in [*stream, {**last, "done_reason": done_reason, "prompt_eval_count": prompt_tokens}]
    )


@contextmanager
def scripted(*answers: bytes | dict[str, Any], prefix: str = "") -> Iterator[Scripted]:
    """Answers each chat with the next of the answers, the last one again and again; everything else as recorded.

    Args:
        answers: the whole stream, or a recorded answer with its status.
        prefix: a path before Ollama's own, as the API server's service proxy has it.
    """
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            paths = {"/api/version": "version", "/api/tags": "tags"}
            self._send(**RECORDED[paths[self.path.removeprefix(prefix)]])

        def do_POST(self) -> None:  # noqa: N802 - the base class's name
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append(body)
            if self.path.removeprefix(prefix) == "/api/show":
                self._send(**RECORDED["show"])
                return
            answer = left.pop(0) if len(left) > 1 else left[0]
            self._send(status=200, body=answer.decode()) if isinstance(answer, bytes) else self._send(**answer)

        def _send(self, *, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server = Scripted(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join(5)


def why_no_ollama() -> str:
    """Why no real server can be started here; empty when one can."""
    if shutil.which("ollama") is None:
        return "no ollama on the PATH"
    model = os.environ.get("SRELAB_MODEL_FILE", "")
    return "" if Path(model).is_file() else "SRELAB_MODEL_FILE names no model file"


@contextmanager
def real_ollama(folder: Path) -> Iterator[str]:
    """The URL of a real server with SmolLM2, its models in `folder`; skips, with the reason, where there is none."""
    if reason := why_no_ollama():
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "OLLAMA_HOST": address, "OLLAMA_MODELS": str(folder), "OLLAMA_NUM_PARALLEL": "1"}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(["ollama", "serve"], env=environment, stdout=log, stderr=log)
    try:
        client = OllamaClient.from_url(f"http://{address}")
        _wait_for(client)
        client.create(MODEL, gguf=os.environ["SRELAB_MODEL_FILE"])
        client.close()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(client: OllamaClient) -> None:
    deadline = Deadline(60)
    while True:
        try:
            client.version(deadline=deadline.at_most(5))
        except SrelabError:
            deadline.check("ollama serve")
            time.sleep(0.2)
        else:
            return
