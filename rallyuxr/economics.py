"""From effects to money: each metric's worth, the total with its interval, and what must be true to break even.

    dollar impact = effect in the metric's unit × price × exposure, its sign following the direction.

Everything is linear in the effects, so a total is w'e with the standard error √(w'Σw): w holds the
money per stored unit of each counted metric, Σ the effects' covariance. The analysis estimates Σ so
that w'Σw is the variance of the priced sum of the metrics' own series; `reprice` uses the same Σ with
other prices, and gives the same numbers at the same prices.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import EllipsisType
from typing import TypeVar

import scipy

from rallyuxr.models.analysis import (
    BreakEven,
    DidResult,
    EconomicImpact,
    ExperimentAnalysis,
    Interval,
    MetricImpact,
    PriceSnapshot,
    Verdict,
)
from rallyuxr.models.experiment import ExpectedOutcome, Projection, Role
from rallyuxr.models.metric_value import Exposure, MetricValue
from rallyuxr.verdict import Reading, money_text, verdict

T = TypeVar("T")
Covariance = Mapping[str, Mapping[str, float]]
DAYS_A_YEAR = 365.0
ROLE_ORDER: dict[Role, int] = {"primary": 0, "secondary": 1, "guardrail": 2}


@dataclass(frozen=True, slots=True)
class MetricEffect:
    """What money needs to know of one metric's effect, in stored values."""

    estimate: float | None
    std_error: float | None
    interval: Interval | None
    participants: float
    role: Role = "primary"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the plan says about money, and how sure a total's interval is to be.

    `critical_value` is the number of standard errors on each side of the total, `total_dof` the degrees of
    freedom of its t distribution; both None where there is no total to speak of.
    """

    currency: str
    observed_days: float
    confidence_level: float
    projection: Projection
    expected: ExpectedOutcome
    cost: Decimal | None = None
    total_dof: float | None = None
    critical_value: float | None = None
    doubt: str | None = None


def price_snapshot(price: MetricValue | PriceSnapshot) -> PriceSnapshot:
    """A metric's price as it is now, to be kept with the analysis."""
    if isinstance(price, PriceSnapshot):
        return price
    return PriceSnapshot(**{name: getattr(price, name) for name in PriceSnapshot.model_fields})


def exposure_quantity(exposure: Exposure, *, participants: float, days: float) -> float:
    """By how much a price multiplies: treated participants, days observed, or the experiment once.

    Examples
    --------
    >>> [exposure_quantity(kind, participants=2000, days=14) for kind in ("participant", "day", "experiment")]
    [2000, 14, 1.0]
    """
    if exposure == "participant":
        return participants
    return days if exposure == "day" else 1.0


def money_per_effect(price: PriceSnapshot, quantity: float) -> float:
    """Money per one stored unit of effect; negative where less is better."""
    sign = 1.0 if price.direction == "higher_is_better" else -1.0
    return sign * price.unit_scale * float(price.dollars_per_unit) * quantity


def counted_metrics(
    effects: Mapping[str, MetricEffect], prices: Mapping[str, PriceSnapshot], currency: str
) -> dict[str, str | None]:
    """For each metric, why it stays out of the total; None for those that enter.

    Of a family, which is one effect seen several times, the metric with the foremost role enters
    (then the first by name), whatever the order they are given in.
    """
    reasons = {name: _excluded(effect, prices.get(name), currency) for name, effect in effects.items()}
    heads: dict[str, str] = {}
    for name in sorted(effects, key=lambda metric: (ROLE_ORDER[effects[metric].role], metric)):
        family = prices[name].family if name in prices else None
        if reasons[name] is None and family is not None:
            head = heads.setdefault(family, name)
            if head != name:
                reasons[name] = f"{head} already stands for the family {family}: one effect is not counted twice"
    return reasons


def money_weights(
    effects: Mapping[str, MetricEffect], prices: Mapping[str, PriceSnapshot], currency: str, observed_days: float
) -> dict[str, float]:
    """Money per stored unit of effect of every metric that enters the total."""
    return {
        name: _factor(effects[name], prices[name], observed_days)
        for name, reason in counted_metrics(effects, prices, currency).items()
        if reason is None
    }


def economic_impact(
    effects: Mapping[str, MetricEffect],
    prices: Mapping[str, PriceSnapshot],
    covariance: Covariance,
    terms: Terms,
) -> EconomicImpact:
    """The experiment in money.

    Parameters
    ----------
    effects
        Every metric of the experiment.
    prices
        Snapshots by metric; a metric without one has its effect shown and no money.
    covariance
        Of the effects, in stored values.
    terms
        Currency, days, cost and projection.
    """
    reasons = counted_metrics(effects, prices, terms.currency)
    breakdown = {
        name: _metric_impact(effect, prices.get(name), terms.observed_days, reasons[name])
        for name, effect in effects.items()
    }
    counted = money_weights(effects, prices, terms.currency, terms.observed_days)
    frame = EconomicImpact(
        metric_breakdown=breakdown,
        currency=terms.currency,
        cost=terms.cost,
        observed_days=terms.observed_days,
        horizon_days=terms.projection.horizon_days if terms.projection.recurring else None,
        coverage=terms.projection.coverage if terms.projection.recurring else None,
        annual_decay=terms.projection.annual_decay if terms.projection.recurring else None,
        covariance={row: dict(columns) for row, columns in covariance.items()},
        total_dof=terms.total_dof,
    )
    if not counted:
        reason = "no metric with a price enters the total"
        return frame.model_copy(
            update={
                "reason": reason,
                "break_even": BreakEven(reason=reason),
                "verdict": _verdict(None, terms, reason),
            }
        )
    return _with_total(frame, effects, counted, terms)


def reprice(
    analysis: ExperimentAnalysis,
    prices: Mapping[str, MetricValue | PriceSnapshot],
    *,
    projection: Projection | None = None,
    cost: Decimal | EllipsisType | None = ...,
) -> EconomicImpact:
    """What would the same effects be worth at other prices, horizon or cost? Nothing is stored.

    Needs the analysis alone: effects, covariance and exposure are in it. With the prices of its own
    snapshot, its projection and its cost, the result equals `analysis.economic_impact`.

    Parameters
    ----------
    prices
        Prices that replace the snapshot's; the others stay.
    projection
        Replaces the analysis' own where given.
    cost
        Replaces the analysis' own where given; None is no cost, and then there is no return on it.
    """
    before = analysis.economic_impact
    effects = {name: metric_effect(result) for name, result in analysis.did_results.items()}
    changed = {name: price_snapshot(price) for name, price in prices.items() if name in effects}
    terms = Terms(
        currency=before.currency,
        observed_days=before.observed_days or 0.0,
        confidence_level=analysis.confidence_level / 100,
        projection=projection or _projection_of(before),
        expected=analysis.expected_outcome,
        cost=before.cost if isinstance(cost, EllipsisType) else cost,
        total_dof=before.total_dof,
        critical_value=before.critical_value,
        doubt=before.verdict.main_doubt if before.verdict else None,
    )
    return economic_impact(effects, analysis.metric_values_snapshot | changed, before.covariance, terms)


def metric_effect(result: DidResult) -> MetricEffect:
    """What money needs to know of a metric's result."""
    return MetricEffect(
        estimate=result.estimate.estimate,
        std_error=result.estimate.std_error,
        interval=result.confidence_interval,
        participants=result.sample_size_treatment,
        role=result.role,
    )


def projection_factor(projection: Projection, observed_days: float) -> float:
    """By how much an observed impact is multiplied to span the horizon.

    365 / days × coverage × ∫ (1 - decay)^t dt over the horizon in years: at no decay, full coverage
    and a horizon of a year this is 365 / days.

    Examples
    --------
    >>> projection_factor(Projection(), 14.6)
    25.0
    >>> round(projection_factor(Projection(annual_decay=0.5, coverage=2), 365), 4)  # 2 × 0.5 / ln 2
    1.4427
    """
    years = projection.horizon_days / DAYS_A_YEAR
    kept = 1.0 - projection.annual_decay
    integral = years if kept == 1.0 else (1.0 - kept**years) / -math.log(kept)
    return DAYS_A_YEAR / observed_days * projection.coverage * integral


def break_even(impacts: Mapping[str, float], prices: Mapping[str, Decimal], cost: Decimal | None) -> BreakEven:
    """What must be true for the total to be zero, or to pay back the cost where there is one?

    `impacts` holds the money of each counted metric, `prices` what it was computed with. A price is
    absent where no positive one would do; the effects' factor where there is no cost to earn or
    nothing that earns.

    Examples
    --------
    >>> prices = {"signups": Decimal(3), "latency": Decimal(1)}
    >>> break_even({"signups": 300.0, "latency": -100.0}, prices, None).prices
    {'signups': 1.0, 'latency': 3.0}
    >>> break_even({"signups": 300.0}, {"signups": Decimal(3)}, Decimal(150)).effect_factor
    0.5
    """
    total = math.fsum(impacts.values())
    goal = float(cost or 0)
    found = {
        name: _positive_ratio(float(prices[name]) * (goal - (total - impact)), impact)
        for name, impact in impacts.items()
    }
    if cost is None:
        return BreakEven(prices=found, reason="without a cost any gain breaks even")
    factor = _positive_ratio(goal, total)
    reason = "the effects do not gain: no scale of theirs pays back the cost" if factor is None else None
    return BreakEven(effect_factor=factor, prices=found, reason=reason)


def _positive_ratio(numerator: float, denominator: float) -> float | None:
    """The ratio where it is a positive number that can be represented."""
    ratio = numerator / denominator if denominator else 0.0
    return ratio if 0.0 < ratio < math.inf else None


def _with_total(
    frame: EconomicImpact,
    effects: Mapping[str, MetricEffect],
    counted: Mapping[str, float],
    terms: Terms,
) -> EconomicImpact:
    impacts = {name: _known(effects[name].estimate) * weight for name, weight in counted.items()}
    total = math.fsum(impacts.values())
    std_error = math.sqrt(max(_quadratic_form(counted, frame.covariance), 0.0))
    bounds = _around(total, std_error, terms.critical_value)
    projected = projection_factor(terms.projection, terms.observed_days) if terms.projection.recurring else None
    prices = {name: _known(frame.metric_breakdown[name].metric_value_used) for name in counted}
    reading = Reading(total, bounds, *_money_texts(total, bounds, terms)) if bounds else None
    return frame.model_copy(
        update={
            "total_impact": total,
            "total_std_error": std_error if bounds else None,
            "total_interval": bounds,
            "probability_positive": _probability_positive(total, std_error, terms.total_dof),
            "annualized_impact": None if projected is None else total * projected,
            "annualized_interval": None if projected is None else _scaled(bounds, projected),
            "roi_percentage": None if terms.cost is None else _roi(total, terms.cost),
            "roi_interval": None
            if terms.cost is None or bounds is None
            else Interval(lower=_roi(bounds.lower, terms.cost), upper=_roi(bounds.upper, terms.cost)),
            "critical_value": terms.critical_value,
            "break_even": break_even(impacts, prices, terms.cost),
            "verdict": _verdict(reading, terms),
            "reason": None if bounds else "the total has no standard error",
        }
    )


def _metric_impact(
    effect: MetricEffect, price: PriceSnapshot | None, days: float, excluded: str | None
) -> MetricImpact:
    if price is None:
        return MetricImpact(reason=excluded)
    factor = _factor(effect, price, days)
    if effect.estimate is None:
        return MetricImpact(metric_value_used=price.dollars_per_unit, price_version=price.version, reason=excluded)
    return MetricImpact(
        dollar_impact=effect.estimate * factor,
        metric_value_used=price.dollars_per_unit,
        metric_change=effect.estimate * price.unit_scale,
        interval=_scaled(effect.interval, factor),
        std_error=None if effect.std_error is None else effect.std_error * abs(factor),
        exposure=price.exposure,
        exposure_quantity=exposure_quantity(price.exposure, participants=effect.participants, days=days),
        price_version=price.version,
        counts=excluded is None,
        reason=excluded,
    )


def _factor(effect: MetricEffect, price: PriceSnapshot, days: float) -> float:
    quantity = exposure_quantity(price.exposure, participants=effect.participants, days=days)
    return money_per_effect(price, quantity)


def _excluded(effect: MetricEffect, price: PriceSnapshot | None, currency: str) -> str | None:
    if price is None:
        return "no price is set for this metric"
    if effect.estimate is None or effect.std_error is None:
        return effect.reason or "its effect has no standard error"
    if not price.counts_toward_total:
        return "its price is marked as not counting toward a total"
    if price.currency != currency:
        return f"its price is in {price.currency}, the experiment's total in {currency}"
    return None


def _quadratic_form(counted: Mapping[str, float], covariance: Covariance) -> float:
    names = sorted(counted)
    return math.fsum(counted[a] * counted[b] * covariance[a][b] for a in names for b in names)


def _around(total: float, std_error: float, critical_value: float | None) -> Interval | None:
    if critical_value is None or std_error == 0.0:
        return None
    return Interval(lower=total - critical_value * std_error, upper=total + critical_value * std_error)


def _scaled(bounds: Interval | None, factor: float) -> Interval | None:
    if bounds is None:
        return None
    lower, upper = sorted((bounds.lower * factor, bounds.upper * factor))
    return Interval(lower=lower, upper=upper)


def _roi(impact: float, cost: Decimal) -> float:
    return (impact - float(cost)) / float(cost) * 100.0


def _probability_positive(total: float, std_error: float, dof: float | None) -> float | None:
    return float(scipy.special.stdtr(dof, total / std_error)) if dof is not None and std_error > 0 else None


def _money_texts(total: float, bounds: Interval, terms: Terms) -> tuple[str, str]:
    lower, upper = money_text(bounds.lower, terms.currency), money_text(bounds.upper, terms.currency)
    return f"{money_text(total, terms.currency)} over {terms.observed_days:g} days", f"{lower} to {upper}"


def _verdict(reading: Reading | None, terms: Terms, reason: str | None = None) -> Verdict:
    return verdict(
        reading,
        confidence_level=terms.confidence_level,
        expected=terms.expected,
        doubt=terms.doubt,
        reason=reason,
    )


def _projection_of(impact: EconomicImpact) -> Projection:
    if impact.horizon_days is None:
        return Projection(recurring=False)
    return Projection(
        horizon_days=impact.horizon_days, coverage=impact.coverage or 1.0, annual_decay=impact.annual_decay or 0.0
    )


def _known(value: T | None) -> T:
    assert value is not None, "a counted metric has an estimate and a price"
    return value
