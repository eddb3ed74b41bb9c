"""
The yardstick of ``view`` and ``grep``: a plain Python loop that reads each line of a log once.
"""

from __future__ import annotations

import subprocess
import sys

# One regular expression for text and for lines of another formatter, json.loads() for JSON, findall()
# for logfmt; their results are not used.
_LOOP = r"""
import json, re, resource, sys
form, path = sys.argv[1:]
head = re.compile(r"([\w:.,+ -]+?) - (\w+) - \[req=([^|\]]*)\|session=([^|\]]*)[^\]]*\] ([-|]) (.*)")
pair = re.compile(r'([^ =]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')
other = re.compile(r"([\d:, -]+) (\w+) (\S+) \[req=([^|\]]*)\|session=([^|\]]*)[^\]]*\] (.*)")
read = {"text": head.match, "json": json.loads, "logfmt": pair.findall, "python": other.match}[form]
with open(path, encoding="utf-8") as log:
    for line in log:
        read(line)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


def work(form: str, path: str, runs: int = 3) -> float:
    """Return the CPU seconds that the loop takes for the log at *path*: the least of some runs."""
    command = [sys.executable, "-c", _LOOP, form, path]
    return min(
        float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(runs)
    )
