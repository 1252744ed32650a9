"""Seeded noise of the kinds that real metrics have, for simulations."""

import numpy as np
from scipy.signal import lfilter


def autoregressive(rng: np.random.Generator, shape: tuple[int, int], memory: float) -> np.ndarray:
    """Rows of AR(1) noise with unit innovations."""
    burn = 400
    shocks = rng.standard_normal((shape[0], shape[1] + burn))
    return lfilter([1.0], [1.0, -memory], shocks, axis=1)[:, burn:]
