"""
The cost of a request, of a streamed message and of a log line: ``python -m benchmarks``.

``subjects`` has the measured libraries, ``situations`` the work that they do, ``worker`` is the
process that does it, ``measure`` starts workers and reads their meters, ``budgets`` has the limits,
``report`` and ``chart`` show the results.
"""
