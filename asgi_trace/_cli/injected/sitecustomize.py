"""
Runs at the start of each Python process that ``asgi-trace run`` starts, workers included.

Python imports the first ``sitecustomize`` on its path, which is this one. It installs the watch for
servers, and then imports the next ``sitecustomize``, which runs as it would without us. In Python
versions before 3.10 it only imports the next one.
"""

import os
import sys

_this = sys.modules.pop(__name__)  # the name is for the next one; Python 2 needs the object
_directory = os.path.dirname(__file__)

if sys.version_info >= (3, 10):  # noqa: UP036
    import asgi_trace_finder

    asgi_trace_finder.install()

sys.path[:] = [path for path in sys.path if path != _directory]
try:
    import sitecustomize  # noqa: F401
except ImportError as exc:
    if getattr(exc, "name", None) != "sitecustomize":  # Python 2 ignores the error of a missing one
        raise
    # There is none. The sitecustomize of another launcher may run this one: it would end by an error.
    sys.modules["sitecustomize"] = type(sys)("sitecustomize")
finally:
    if sys.version_info >= (3, 10):  # noqa: UP036
        asgi_trace_finder.stand_first()
