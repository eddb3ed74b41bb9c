"""
The target of a call to an MCP server: the name of a tool or prompt, the URI of a resource, the id
of a background task.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

__all__ = ("name_in",)

_KEYS = ("name", "uri")

# The second one is the attribute of version 2 of the SDK.
_TASK_KEYS = ("taskId", "task_id")


def name_in(method: object, params: Any) -> Any:
    """
    Return the name in the *params* of a call of *method*, a mapping or an SDK's object; None
    without one.
    """
    is_mapping = type(params) is dict or isinstance(params, Mapping)
    get = params.get if is_mapping else partial(getattr, params)
    is_of_task = isinstance(method, str) and method.startswith("tasks/")
    for key in _TASK_KEYS if is_of_task else _KEYS:
        name = get(key, None)
        if name is not None:
            return name
    return None
