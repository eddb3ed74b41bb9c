"""
Run a server as a process of its own, through its real command line, and read what it writes while
it runs.

Knows processes, sockets, the form of our log lines, and that the app answers ``/work/MARKER``. Does
not know which servers there are, nor what each can do.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from ..serving import ReservedPort

# Seconds, for a machine that has much else to do. Nothing takes so long unless something is broken.
PATIENCE = 60

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

_FORM = re.compile(r"[\d-]+ [\d:]+ - [A-Z]+ - \[req=([^|]*)\|session=([^]]*)\] ([-|]) (.*)")


class Line(NamedTuple):
    """
    A physical line of a server's output: one that is not in our form is all text, without ids.
    """

    text: str
    request_id: str | None = None
    session_id: str | None = None
    continues: bool = False  # the record that the line before it belongs to

    @property
    def ids(self) -> tuple[str | None, str | None]:
        return self.request_id, self.session_id


def read_line(raw: str) -> Line:
    match = _FORM.fullmatch(raw)
    if match is None:
        return Line(raw)
    request_id, session_id, mark, text = match.groups()
    return Line(text, request_id, session_id, mark == "|")


class Server:
    """
    A server that serves the app on *port* of the loopback interface, and all *lines* that it has
    written.

    :param command: arguments for Python; in them, ``{port}`` stands for a free port.
    :raises AssertionError: with the last lines, when it does not serve.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._more = threading.Condition()
        self._markers = 0
        self._port = ReservedPort()
        self.port = self._port.number
        self._start(command)
        try:
            assert self._listens(), f"expected a server that listens:\n{self.tail()}"
            self.settle()
        except BaseException:
            self.stop()
            raise

    def _start(self, command: Sequence[str]) -> None:
        self.lines: list[Line] = []
        paths = [str(HERE), str(ROOT), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        }
        self._ended = False
        self._process = subprocess.Popen(
            [sys.executable, *(part.format(port=self.port) for part in command)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for raw in output:
                with self._more:
                    self.lines.append(read_line(raw.rstrip("\n")))
                    self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def _listens(self) -> bool:
        for _ in range(20 * PATIENCE):
            with suppress(OSError):
                self.connect().close()
                return True
            with self._more:
                if self._more.wait_for(lambda: self._ended, 0.05):
                    break
        return False

    def stop(self) -> None:
        """End the server as its operator does; it must go in peace."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)  # its workers too
            self._process.wait()
            raise AssertionError(
                f"expected an end within {PATIENCE} s of SIGTERM:\n{self.tail()}"
            ) from None
        finally:
            self._reader.join(PATIENCE)
            self._port.release()

    def marker(self) -> str:
        """Return a word of eight characters that is in no other line."""
        self._markers += 1
        return f"m{self._markers:07}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def client(self, version: str = "1.1") -> httpx.Client:
        """
        Return a client that speaks this *version* of HTTP alone: 2 without TLS and without an
        upgrade.
        """
        return httpx.Client(**self._settings(version))

    def async_client(self, version: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(**self._settings(version))

    def _settings(self, version: str) -> dict[str, Any]:
        return {
            "base_url": f"http://127.0.0.1:{self.port}",
            "http1": version == "1.1",
            "http2": version == "2",
            "timeout": PATIENCE,
            "trust_env": False,
            "verify": False,  # there is no TLS, and nothing of it to load
        }

    def wait_for(self, text: str) -> Line:
        """Return the first line that contains *text*, as soon as it is there."""
        with self._more:
            self._more.wait_for(lambda: self._ended or self._find(text) is not None, PATIENCE)
        line = self._find(text)
        if line is None:
            raise AssertionError(
                f"expected a line with {text!r}; the server's last lines are:\n{self.tail()}"
            )
        return line

    def _find(self, text: str) -> Line | None:
        return next((line for line in self.lines if text in line.text), None)

    def record_ending(self, text: str) -> list[Line]:
        """Return the physical lines of a record, up to the first that contains *text*."""
        last = self.lines.index(self.wait_for(text))
        first = next(index for index in range(last, -1, -1) if not self.lines[index].continues)
        return self.lines[first : last + 1]

    def settle(self) -> None:
        """
        Wait until *lines* has all that was written: it has, when it has the last line of a later
        request.
        """
        marker = self.marker()
        with self.client() as client:
            client.get(f"/work/{marker}")
            self.wait_for(f"{marker} ends")

    def tail(self) -> str:
        return "\n".join(f"{line.ids} {line.text}" for line in self.lines[-60:])
