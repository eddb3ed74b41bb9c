"""
Checks what ``python -m build`` has made: ``python .ci/packages.py DIRECTORY``.

The source archive is the repository, the wheel is the package and the plugin of pytest, and the public metadata names
the extras of users alone.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

PLUGIN = "asgi_trace/_plugin/"
EXTRAS = ["demo", "mcp", "otel"]


def tracked() -> set[str]:
    """Return the files that git knows and that still exist."""
    names = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout
    return {name for name in names.splitlines() if Path(name).is_file()}


def sources(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {member.name.partition("/")[2] for member in tar if member.isfile()}


def compare(archive: Path, found: set[str], expected: set[str]) -> list[str]:
    missing = [f"{archive.name} lacks {name}" for name in sorted(expected - found)]
    extra = [f"{archive.name} has {name}" for name in sorted(found - expected)]
    return missing + extra


def main(directory: Path) -> int:
    (archive,) = directory.glob("*.tar.gz")
    (wheel,) = directory.glob("*.whl")
    files = tracked()
    package = {name.removeprefix(PLUGIN) for name in files if name.startswith("asgi_trace/")}
    with zipfile.ZipFile(wheel) as file:
        names = [name for name in file.namelist() if ".dist-info/" not in name]
        (described,) = [name for name in file.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(file.read(described))

    faults = compare(archive, sources(archive), files | {"PKG-INFO"})
    faults += compare(wheel, set(names), package)
    extras = sorted(metadata.get_all("Provides-Extra", []))
    if extras != EXTRAS:
        faults.append(f"{wheel.name} has the extras {extras}; expected {EXTRAS}")
    if "](" in str(metadata.get_payload()).replace("](http", ""):
        faults.append(f"{wheel.name} has a description with a link into the repository")
    print("\n".join(faults) or f"{wheel.name} and {archive.name} have what they must")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
