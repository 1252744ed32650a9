"""The simulated panel that other packages were asked about, and their answers (`tests/reference`)."""

import json
from pathlib import Path
from typing import Any

import numpy as np

_FOLDER = Path(__file__).parents[1] / "reference"

AGREEMENT = 1e-8
"""Two correct programs differ by the rounding of sums and by peers' own convergence tolerances."""


def peers() -> dict[str, Any]:
    return json.loads((_FOLDER / "panel_peers.json").read_text())


def panel(*, seen_only: bool = False) -> dict[str, np.ndarray]:
    table = np.genfromtxt(_FOLDER / "panel.csv", delimiter=",", names=True)
    if seen_only:
        table = table[table["seen"] == 1]
    return {name: table[name].copy() for name in table.dtype.names}
