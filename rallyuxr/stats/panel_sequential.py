"""Looking at a panel while units are still coming in."""

from rallyuxr.errors import InvalidInput
from rallyuxr.models.estimate import AlwaysValid, DidEstimate
from rallyuxr.stats.sequential import METHOD, always_valid


def always_valid_units(estimate: DidEstimate, *, planned_units: int) -> AlwaysValid:
    """What can be said now, if one looks whenever units have come in and may stop at any look?

    For experiments that participants enter one after the other, each with the same periods before and
    after its own start. Units are then an independent stream: the variance of the effect falls as
    1 / units, so its scores move like a Brownian motion in the number of units, and the confidence
    sequence of `sequential.always_valid` holds with units in the place of hours.

    It does not hold for new periods of the same units, whose effects do not become more certain in
    proportion to time; there, plan the looks and divide α by their number.

    Parameters
    ----------
    estimate
        The effect on the units so far, from `did_panel` with ``"unit_means"``, ``"cuped"`` or ``"twfe"``.
    planned_units
        Units of both arms at which the experiment is planned to end. Fix it before the first look;
        running longer stays valid. The arms' shares are taken to stay as they are.

    Returns
    -------
    AlwaysValid
        Interval at the estimate's level, and the p-value that may be compared with α at any time.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), Annals of Statistics 52:2613-2640.

    Examples
    --------
    >>> now = DidEstimate(
    ...     estimate=1.0, std_error=0.2, dof=398.0, method="welch_units", n_units=400, n_clusters=400
    ... )
    >>> answer = always_valid_units(now, planned_units=1000)
    >>> round(answer.ci_lower, 2), round(answer.ci_upper, 2), answer.pvalue < 0.05
    (0.37, 1.63, True)
    """
    if planned_units < 1:
        raise InvalidInput(f"planned_units is {planned_units}; give the number of units at the planned end")
    if estimate.std_error is None or estimate.n_clusters is None or estimate.n_clusters < 1:
        return AlwaysValid(method=METHOD, reason=estimate.reason or "the effect has no standard error over units")
    if estimate.dof is None:
        reason = (
            f"{estimate.method} compares assignments of few units, for which there is no sequence; plan the looks"
        )
        return AlwaysValid(method=METHOD, reason=reason)
    return always_valid(estimate, baseline_hours=0, post_hours=estimate.n_clusters, planned_hours=planned_units)
