"""Did the arms receive the participants they should have? A mismatch voids what follows."""

from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from rallyuxr.errors import InvalidInput
from rallyuxr.models.diagnostics import SampleRatio

ALARM = 0.001
"""The p-value below which a mismatch is called: rare enough to look at every experiment all the time."""
EXACT_BELOW = 100_000
"""Participants up to which the binomial tail is exact; above, the normal one is within 1 % of it at p > 1e-6."""
PRIOR_STRENGTH = 1_000.0
"""Pseudo-participants of the mixture's prior: sharpest where the split is off by about 1/√1000 = 3 points."""


def sample_ratio(
    treatment_n: ArrayLike,
    control_n: ArrayLike,
    *,
    treatment_share: float = 0.5,
) -> SampleRatio:
    """Is the split of participants the planned one?

    Two p-values: `pvalue` is the exact two-sided test of the totals, for one look at the end;
    `sequential_pvalue` may be read after every look. `mismatch` follows the sequential one.

    Parameters
    ----------
    treatment_n, control_n
        Participants that arrived between two looks (an hour, a day), shape (T,), or totals.
    treatment_share
        The planned share of the treated arm.

    Examples
    --------
    >>> result = sample_ratio(821_588, 815_482)
    >>> f"{result.pvalue:.2e}", round(result.observed_treatment_share, 4)
    ('1.82e-06', 0.5019)
    """
    if not 0 < treatment_share < 1:
        raise InvalidInput(f"treatment_share is {treatment_share}; give the planned share, such as 0.5")
    treated = np.atleast_1d(np.nan_to_num(np.asarray(treatment_n, dtype=float)))
    control = np.atleast_1d(np.nan_to_num(np.asarray(control_n, dtype=float)))
    total = Counts(float(treated.sum()), float(control.sum()))
    if total.treatment + total.control == 0:
        return SampleRatio(expected_treatment_share=treatment_share, reason="no participant was counted")
    sequential = sequential_pvalue(treated, control, treatment_share)
    return SampleRatio(
        treatment=total.treatment,
        control=total.control,
        expected_treatment_share=treatment_share,
        observed_treatment_share=total.treatment / (total.treatment + total.control),
        pvalue=fixed_pvalue(total, treatment_share),
        sequential_pvalue=sequential,
        mismatch=sequential < ALARM,
    )


class Counts(NamedTuple):
    """Participants by arm."""

    treatment: float
    control: float


def fixed_pvalue(total: Counts, treatment_share: float) -> float:
    """Two-sided p-value of the totals: twice the smaller binomial tail, normal for large counts.

    Examples
    --------
    >>> round(fixed_pvalue(Counts(47, 53), 0.5), 7)
    0.6172994
    """
    n = total.treatment + total.control
    if n > EXACT_BELOW:
        z = (total.treatment - n * treatment_share) / np.sqrt(n * treatment_share * (1 - treatment_share))
        return float(2.0 * scipy.special.ndtr(-abs(z)))
    trials, successes = round(n), round(total.treatment)
    lower = scipy.special.bdtr(successes, trials, treatment_share)
    upper = scipy.special.bdtr(trials - successes, trials, 1 - treatment_share)
    return float(min(1.0, 2.0 * min(lower, upper)))


def sequential_pvalue(
    treatment_n: NDArray[np.float64], control_n: NDArray[np.float64], treatment_share: float
) -> float:
    """A p-value that stays valid however often one looked: the smallest 1 / Bayes factor so far.

    The Bayes factor of a Beta mixture centred at the planned share against that share is a
    martingale under the plan, so by Ville's inequality it ever exceeds 1/α with probability α.

    References
    ----------
    Lindon and Malek (2022), NeurIPS 35: Anytime-valid inference for multinomial count data.
    """
    a, b = PRIOR_STRENGTH * treatment_share, PRIOR_STRENGTH * (1 - treatment_share)
    x, y = np.cumsum(treatment_n), np.cumsum(control_n)
    log_bayes_factor = (
        scipy.special.betaln(a + x, b + y)
        - scipy.special.betaln(a, b)
        - scipy.special.xlogy(x, treatment_share)
        - scipy.special.xlog1py(y, -treatment_share)
    )
    return float(np.exp(-max(log_bayes_factor.max(), 0.0)))
