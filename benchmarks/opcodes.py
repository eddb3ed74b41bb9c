"""
A meter for machines without valgrind: the bytecode instructions that some work executes.

This module uses the interpreter's tracing, for work of any kind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ("count_opcodes",)


if sys.version_info >= (3, 12):

    def count_opcodes(work: Callable[[], object]) -> int:
        """Return how many bytecode instructions *work* executes, in all of its frames."""
        # Not sys.settrace, which misses the first pass of a frame here.
        monitoring = sys.monitoring
        executed = 0

        def count(code: CodeType, offset: int) -> None:
            nonlocal executed
            executed += 1

        tool = monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, __name__)
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, count)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            work()
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(tool)
        return executed

else:

    def count_opcodes(work: Callable[[], object]) -> int:
        """Return how many bytecode instructions *work* executes, in all of its frames."""
        executed = 0

        def trace(frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
            nonlocal executed
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
            executed += event == "opcode"
            return trace

        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(None)
        return executed
