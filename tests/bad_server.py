"""Real HTTP servers on localhost, as bad as a real one can be: they drip, hang, break off and send garbage."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[socket.socket, bytes], None]
"""Gets the connection and a request, and sends what it wants; the connection is closed after it."""

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Server:
    """What a test needs of a running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[bytes] = []
        self.closing = threading.Event()


@contextmanager
def served(answer: Answer) -> Iterator[Server]:
    """Every request of every connection is answered by `answer`, each connection in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            # A connection that is closed with a body unread is reset, and the answer may be lost with it.
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            wanted = head.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
            while len(head) < wanted and (piece := connection.recv(65536)):
                head += piece
            server.requests.append(head)
            answer(connection, head)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.closing.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)


def sends(*pieces: bytes, each: float = 0.0) -> Answer:
    """Sends the pieces, waiting before each, and closes."""

    def answer(connection: socket.socket, _: bytes) -> None:
        for piece in pieces:
            time.sleep(each)
            connection.sendall(piece)

    return answer


def drips(start: bytes, drop: bytes, *, each: float = 0.02) -> Answer:
    """Sends `start`, and then `drop` again and again for as long as anyone listens."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        while True:
            time.sleep(each)
            connection.sendall(drop)

    return answer


def hangs(start: bytes = b"") -> Answer:
    """Sends `start` and then nothing, without closing."""

    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(start)
        connection.recv(1)

    return answer


def with_length(body: bytes, *, head: bytes = OK) -> bytes:
    """A whole answer."""
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def status(line: str, body: bytes) -> bytes:
    """A whole answer with another status line than 200."""
    return with_length(body, head=f"HTTP/1.1 {line}\r\nContent-Type: application/json\r\n".encode())
