"""Several metrics, several chances to be wrong: adjusted p-values of a family of tests."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rallyuxr.errors import InvalidInput

Multiplicity = Literal["holm", "benjamini_hochberg", "none"]


def holm(pvalues: Sequence[float]) -> NDArray[np.float64]:
    """p-values that bound the chance of *any* false finding in the family, under any dependence.

    The k-th smallest of m p-values is multiplied by m - k + 1; an adjusted value is never below the
    one before it.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6:65-70.

    Examples
    --------
    >>> holm([0.005, 0.06, 0.007, 0.04, 0.01, 0.03]).round(4).tolist()
    [0.03, 0.09, 0.035, 0.09, 0.04, 0.09]
    """
    p, order = _sorted(pvalues)
    factors = np.arange(p.size, 0, -1)
    return _unsorted(np.maximum.accumulate(p * factors), order)


def benjamini_hochberg(pvalues: Sequence[float]) -> NDArray[np.float64]:
    """p-values that bound the expected *share* of false findings among all findings.

    The k-th smallest of m p-values is multiplied by m / k; an adjusted value is never above the one
    after it. Holds under independence and positive dependence.

    References
    ----------
    Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57:289-300.

    Examples
    --------
    >>> benjamini_hochberg([0.005, 0.06, 0.007, 0.04, 0.01, 0.03]).round(4).tolist()
    [0.02, 0.06, 0.02, 0.048, 0.02, 0.045]
    """
    p, order = _sorted(pvalues)
    factors = p.size / np.arange(1, p.size + 1)
    return _unsorted(np.minimum.accumulate((p * factors)[::-1])[::-1], order)


def adjust(pvalues: Sequence[float], method: Multiplicity) -> NDArray[np.float64]:
    """Adjusted p-values by the method's name; ``"none"`` returns them as they are.

    Examples
    --------
    >>> adjust([0.01, 0.04], "holm").tolist()
    [0.02, 0.04]
    """
    if method == "holm":
        return holm(pvalues)
    if method == "benjamini_hochberg":
        return benjamini_hochberg(pvalues)
    if method == "none":
        return np.asarray(pvalues, dtype=float)
    raise InvalidInput(f"the multiplicity method is {method!r}; choose holm, benjamini_hochberg or none")


def _sorted(pvalues: Sequence[float]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    p = np.asarray(pvalues, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise InvalidInput(f"p-values lie between 0 and 1 in one dimension; got {pvalues!r}: leave absent ones out")
    order = np.argsort(p, kind="stable")
    return p[order], order


def _unsorted(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    result = np.empty_like(adjusted)
    result[order] = np.minimum(adjusted, 1.0)
    return result
