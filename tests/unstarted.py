"""
Refuses a process or a server in a test that is not marked for one. ``.ci/quick`` loads this as a plugin of pytest.

The remedy is in ``tests/marks.py``, which has not seen how the test starts it.
"""

from __future__ import annotations

import sys

STARTS = {"os.fork", "os.forkpty", "os.posix_spawn", "socket.bind", "subprocess.Popen"}


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in STARTS:
        raise AssertionError(
            f"{event}{arguments}: expected a test without processes and servers; see tests/marks.py"
        )


def pytest_sessionstart() -> None:
    sys.addaudithook(_refuse)
