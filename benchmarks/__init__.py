"""
What a request, a streamed message and a log line cost, by ``python -m benchmarks``.

``subjects`` is who is measured, ``situations`` is what they are put through, ``worker`` is the one
process that does it, ``measure`` starts workers and reads their meters, ``budgets`` holds the
limits, ``report`` and ``chart`` show.
"""
