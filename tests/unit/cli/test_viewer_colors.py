"""The page's colors of sessions, for those who see fewer of them."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import pytest

# What is seen without the long, the middle or the short cones, of linear RGB: Machado, Oliveira,
# Fernandes, 2009.
SIGHTS = {
    "all": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.01182, 0.04294, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.3039),
    ),
}
STYLE = (files("asgi_trace._cli.view") / "page.css").read_text(encoding="utf-8")
SESSIONS = {
    scheme: [
        found[place] for found in re.findall(r"--s\d: light-dark\((#\w{6}), (#\w{6})\);", STYLE)
    ]
    for place, scheme in enumerate(("light", "dark"))
}


def contrast(one: str, other: str) -> float:
    """As WCAG has it."""
    light, dark = sorted(
        (((lab(color, SIGHTS["all"])[0] + 16) / 116) ** 3 for color in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def lab(color: str, sight: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    """Return how *color* is seen, in CIE Lab."""
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    ]
    red, green, blue = (
        min(1.0, max(0.0, sum(part * each for part, each in zip(row, linear, strict=True))))
        for row in sight
    )
    xyz = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (each ** (1 / 3) if each > 0.008856 else 7.787 * each + 16 / 116 for each in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("scheme", SESSIONS)
def test_sessions_are_told_apart(scheme: str, sight: str) -> None:
    """
    By their color alone: seven times what is just noticed for the first four, and three times for
    all eight.
    """
    seen = [lab(color, SIGHTS[sight]) for color in SESSIONS[scheme]]
    apart = {
        (one, other): sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        for one, other in combinations(range(8), 2)
    }
    assert len(seen) == 8
    assert {
        pair: round(far) for pair, far in apart.items() if far < (16 if max(pair) < 4 else 7)
    } == {}


@pytest.mark.parametrize(("scheme", "page"), [("light", "#ffffff"), ("dark", "#121519")])
def test_sessions_labels_can_be_read(scheme: str, page: str) -> None:
    """A letter in the color of the page on each, and the other way round."""
    assert {
        color: contrast(color, page) for color in SESSIONS[scheme] if contrast(color, page) < 4.5
    } == {}
