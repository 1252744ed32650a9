"""A proxy on loopback that notes what a client asks of the embedded cloud, and how much comes back."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and the size of the body that answered it."""

    method: str
    path: str
    range: str | None
    status: int
    size: int


@dataclass(slots=True)
class Eavesdropper:
    """Where the proxy listens and what it has heard."""

    url: str
    heard: list[Exchange] = field(default_factory=list)

    def objects(self) -> list[Exchange]:
        """The requests that read objects rather than list them."""
        return [each for each in self.heard if each.method == "GET" and each.path.endswith(".parquet")]


@contextmanager
def eavesdropping(cloud_url: str) -> Iterator[Eavesdropper]:
    """Stand between a client and the cloud at that address."""
    upstream = urlsplit(cloud_url)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            cloud = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=60)
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            cloud.request(self.command, self.path, body=body or None, headers=dict(self.headers))
            answer = cloud.getresponse()
            content = answer.read()
            cloud.close()
            path = unquote(urlsplit(self.path).path)
            ear.heard.append(Exchange(self.command, path, self.headers.get("range"), answer.status, len(content)))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815
        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """What was heard is kept, not printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    ear = Eavesdropper(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ear
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
