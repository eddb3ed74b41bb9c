"""Collectors that do not do their work: each at an address of its own, over HTTP and gRPC."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc

from ..serving import ReservedPort

KINDS = ("refuses", "hangs", "answers 503", "is up")


class _Answering(BaseHTTPRequestHandler):
    status = 503

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(self.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Be quiet."""


class _Accepting(_Answering):
    status = 200


@contextmanager
def _http(handler: type[_Answering]) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class _Servicer(grpc.GenericRpcHandler):
    def __init__(self, accepts: bool) -> None:
        self._accepts = accepts

    def service(self, call: Any) -> Any:
        def export(request: bytes, context: Any) -> bytes:
            if not self._accepts:
                context.abort(grpc.StatusCode.UNAVAILABLE, "busy")
            return b""

        return grpc.unary_unary_rpc_method_handler(export)


@contextmanager
def _grpc(accepts: bool) -> Iterator[int]:
    server = grpc.server(ThreadPoolExecutor(4), handlers=(_Servicer(accepts),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None)


@contextmanager
def collector_that(kind: str, protocol: str) -> Iterator[str]:
    """Yield the address of a collector of one of the KINDS; *protocol* is ``http`` or ``grpc``."""
    if kind == "refuses":
        port = ReservedPort()  # bound, so that nobody else listens there
        yield f"http://127.0.0.1:{port.number}"
        port.release()
    elif kind == "hangs":
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    elif protocol == "grpc":
        with _grpc(kind == "is up") as number:
            yield f"http://127.0.0.1:{number}"
    else:
        with _http(_Accepting if kind == "is up" else _Answering) as number:
            yield f"http://127.0.0.1:{number}"
