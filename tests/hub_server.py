"""A local server with the part of the Hub's HTTP protocol that downloads use."""

import hashlib
import http.server
import json
import re
import threading

SHA = "0123456789abcdef0123456789abcdef01234567"
REVISIONS = ("main", "v1", SHA)
STORED_APART = (".safetensors", ".bin", ".h5")  # The Hub redirects requests of large files.


class HubServer(http.server.ThreadingHTTPServer):
    """Serves repositories, `{"owner/name": {path: bytes}}`.

    Attributes:
        gated: set of repositories whose files need the token "secret".
        missing: set of paths that are listed but not served.
        cut: dict, path -> list of numbers of bytes after which the connection is closed, one
            number for each time.
        downloads: list of the paths that were downloaded, with the first byte of the range.
        tokens: set of the `Authorization` headers that were sent.
    """

    daemon_threads = True

    def __init__(self, repositories):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.gated = set()
        self.missing = set()
        self.cut = {}
        self.downloads = []
        self.tokens = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        """Ignores clients that disconnect."""

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self._answer(send_body=False)

    def do_GET(self):
        self._answer(send_body=True)

    def _answer(self, send_body):
        path = self.path.partition("?")[0]
        self.server.tokens.add(self.headers.get("Authorization"))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/(.+))?", path):
            self._send_info(match[1], match[3] or "main")
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/(.+)", path):
            self._send_tree(match[1], match[2])
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._send_file(match[1], match[2], match[3], send_body)
        elif match := re.fullmatch(r"/storage/([^/]+/[^/]+)/(.+)", path):
            content = self.server.repositories[match[1]][match[2]]
            self._send_content(match[2], content, send_body)
        else:
            self._send_error(404, "EntryNotFound")

    def _find(self, repository, revision):
        files = self.server.repositories.get(repository)
        if files is None:
            self._send_error(401, "RepoNotFound")
        elif revision not in REVISIONS:
            self._send_error(404, "RevisionNotFound")
            return None
        return files

    def _send_info(self, repository, revision):
        files = self._find(repository, revision)
        if files is not None:
            siblings = [{"rfilename": path} for path in files]
            self._send_json({"id": repository, "sha": SHA, "siblings": siblings})

    def _send_tree(self, repository, revision):
        files = self._find(repository, revision)
        if files is not None:
            self._send_json(
                [
                    {"type": "file", "path": path, "size": len(data), "oid": _hash(data)}
                    for path, data in files.items()
                ]
            )

    def _send_file(self, repository, revision, path, send_body):
        files = self._find(repository, revision)
        if files is None:
            return
        if repository in self.server.gated:
            token = self.headers.get("Authorization")
            if token != "Bearer secret":
                self._send_error(403 if token else 401, "GatedRepo")
                return
        if path not in files or path in self.server.missing:
            self._send_error(404, "EntryNotFound")
            return
        if path.endswith(STORED_APART):
            self._redirect(repository, path, files[path])
        else:
            self._send_content(path, files[path], send_body)

    def _redirect(self, repository, path, content):
        """Answers with the address of a large file, whose size and hash are in the headers."""
        self.send_response(302)
        self.send_header("Location", f"{self.server.address}/storage/{repository}/{path}")
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("X-Linked-ETag", f'"{_hash(content)}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_content(self, path, content, send_body):
        requested = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(requested[1]) if requested else 0
        self.send_response(206 if requested else 200)
        if requested:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("X-Repo-Commit", SHA)
        self.send_header("ETag", f'"{_hash(content)}"')
        self.end_headers()
        if send_body:
            self.server.downloads.append((path, start))
            cuts = self.server.cut.get(path)
            self.wfile.write(content[start : start + cuts.pop(0) if cuts else None])

    def _send_json(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_error(self, code, name):
        self.send_response(code)
        self.send_header("X-Error-Code", name)
        self.send_header("X-Error-Message", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


def connect_client(server, cache, monkeypatch):
    """Makes `huggingface_hub` in this process use the server and a cache of its own.

    The settings are those that the client reads from `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_TOKEN`,
    `HF_HUB_OFFLINE`, and `HF_HUB_DISABLE_XET` when it is imported.

    Args:
        server: `HubServer`.
        cache: path of the cache.
        monkeypatch: the fixture.
    """
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    template = server.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def _hash(data):
    return hashlib.sha1(data).hexdigest()
