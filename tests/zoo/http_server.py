"""A local HTTP server with configurable faults."""

import http.server
import threading
import time
from dataclasses import dataclass


@dataclass
class Request:
    """One request, and how many bytes of the file were sent."""

    path: str
    start: int
    sent: int = 0


class MirrorServer(http.server.ThreadingHTTPServer):
    """Serves `files`, path -> bytes; `faults` maps a path to an iterator of request handlers."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {}
        self.faults = {}
        self.requests = []
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/zoo"

    def handle_error(self, request, client_address):
        """Ignores clients that disconnect, as tests do."""

    def requests_for(self, path):
        return [request for request in self.requests if request.path == path]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.removeprefix("/zoo/")
        stated = self.headers.get("Range", "bytes=0-")
        self.start = int(stated.removeprefix("bytes=").removesuffix("-"))
        self.request_seen = Request(path, self.start)
        self.server.requests.append(self.request_seen)
        content = self.server.files.get(path)
        if content is None:
            self.send_error(404)
            return
        next(self.server.faults.get(path, iter(())), whole)(self, content)

    def do_HEAD(self):
        content = self.server.files.get(self.path.removeprefix("/zoo/"))
        if content is None:
            self.send_error(404)
        else:
            self.head(content, 0)

    def head(self, content, start, length=None):
        """Sends the status line and headers of `content[start:]`."""
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start if length is None else length))
        self.end_headers()

    def body(self, content):
        # Counted first, as the client may finish before `write` returns.
        self.request_seen.sent += len(content)
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, format, *args):
        pass


def whole(handler, content):
    handler.head(content, handler.start)
    handler.body(content[handler.start :])


def status(code):
    """Answers with an error."""
    return lambda handler, content: handler.send_error(code)


def redirect(path):
    """Redirects the client to another path."""

    def fault(handler, content):
        handler.send_response(302)
        handler.send_header("Location", f"/zoo/{path}")
        handler.end_headers()

    return fault


def cut(count):
    """Announces the rest of the file, sends `count` bytes and disconnects."""

    def fault(handler, content):
        handler.head(content, handler.start)
        handler.body(content[handler.start : handler.start + count])

    return fault


def stall(count):
    """Announces the rest of the file, sends `count` bytes and then nothing."""

    def fault(handler, content):
        cut(count)(handler, content)
        handler.server.closing.wait(20)

    return fault


def slow(pause, piece=20_000):
    """Sends the rest of the file in chunks with pauses."""

    def fault(handler, content):
        handler.head(content, handler.start)
        for at in range(handler.start, len(content), piece):
            handler.body(content[at : at + piece])
            time.sleep(pause)

    return fault


def other(change):
    """Serves `change(content)` instead of the file."""
    return lambda handler, content: whole(handler, change(content))


def ignore_range(handler, content):
    """Sends the whole file for any range."""
    handler.head(content, 0)
    handler.body(content)


def refuse_range(handler, content):
    """Answers 416 to every request of a range."""
    if handler.start:
        handler.send_error(416)
    else:
        whole(handler, content)


def wrong_range(handler, content):
    """Answers a request of a range with a later range."""
    start = handler.start + 10 if handler.start else 0
    handler.head(content, start)
    handler.body(content[start:])


def unnamed_range(handler, content):
    """Answers 206 without a Content-Range."""
    handler.send_response(206)
    handler.end_headers()
    handler.body(content[handler.start :])


def without_length(extra=b""):
    """Sends the file and `extra` without a length."""

    def fault(handler, content):
        handler.send_response(200)
        handler.end_headers()
        handler.body(content + extra)

    return fault
