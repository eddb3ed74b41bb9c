"""
The ids for structlog and loguru: a processor and a patcher.

This is the public module for users of these libraries. It imports neither of them.
"""

from ._logging.loggers import loguru_patcher, structlog_processor

__all__ = ("loguru_patcher", "structlog_processor")
