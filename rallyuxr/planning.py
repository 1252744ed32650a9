"""What experiments of different lengths can detect, in the metric's unit and in money."""

from pydantic import Field

from rallyuxr.economics import exposure_quantity, money_per_effect
from rallyuxr.models.analysis import PriceSnapshot
from rallyuxr.models.base import Record
from rallyuxr.stats.planning import Design, Noise, minimum_detectable_effect, power, required_days
from rallyuxr.verdict import effect_text, money_text

DAYS_A_MONTH = 365 / 12
DURATIONS = (7, 14, 21, 28, 42, 56, 84)


class PlanPoint(Record):
    """What one duration can detect.

    Attributes:
        effect, effect_in_unit: the smallest effect found with the planned power, as stored and in the unit.
        relative: the same over the metric's mean.
        impact: its money over the window; impact_per_month: over a month, absent for a price per experiment.
        power: chance of finding the effect that was asked about.
    """

    duration_days: int
    effect: float
    effect_in_unit: float
    relative: float | None = None
    impact: float | None = None
    impact_per_month: float | None = None
    power: float | None = None
    sentence: str


class PlanCurve(Record):
    """A curve of detectable effects over durations.

    Attributes:
        required_days: days until the effect asked about is found with the planned power; absent, with
            `reason`, where none was asked about or no duration suffices.
    """

    points: tuple[PlanPoint, ...]
    baseline_days: int
    confidence_level: float
    planned_power: float
    long_run_variance: float
    persistence: float
    required_days: int | None = None
    reason: str | None = None


class PlanQuestion(Record):
    """What the planner wants to know; defaults are the usual ones.

    `effect` is a true effect in stored values to find; `level` the metric's mean, for relative effects;
    `participants_per_day` those of the treated arm, for prices per participant.
    """

    durations: tuple[int, ...] = Field(default=DURATIONS, min_length=1)
    baseline_days: int = Field(default=14, ge=0)
    confidence_level: float = Field(default=0.95, gt=0, lt=1)
    power: float = Field(default=0.8, gt=0, lt=1)
    effect: float | None = None
    level: float | None = None
    participants_per_day: float | None = Field(default=None, gt=0)


def plan_curve(noise: Noise, question: PlanQuestion, price: PriceSnapshot | None = None) -> PlanCurve:
    """What can be detected, for each duration?

    Examples
    --------
    >>> from rallyuxr.stats.planning import sampling_noise
    >>> curve = plan_curve(sampling_noise(0.15, 24_000), PlanQuestion(durations=(14, 28), effect=0.002))
    >>> [round(point.effect, 5) for point in curve.points], curve.required_days
    ([0.00217, 0.00186], 21)
    """
    needed, reason = _needed(noise, question)
    return PlanCurve(
        points=tuple(_point(noise, question, days, price) for days in sorted(question.durations)),
        baseline_days=question.baseline_days,
        confidence_level=question.confidence_level,
        planned_power=question.power,
        long_run_variance=noise.long_run_variance,
        persistence=noise.persistence,
        required_days=needed,
        reason=reason,
    )


def _point(noise: Noise, question: PlanQuestion, days: int, price: PriceSnapshot | None) -> PlanPoint:
    design = Design(question.baseline_days, days, question.confidence_level)
    effect = minimum_detectable_effect(noise, design, power=question.power)
    unit_scale, unit = (price.unit_scale, price.unit) if price else (1.0, "")
    impact = _money(effect, question, days, price)
    monthly = None if impact is None or _once(price) else impact / days * DAYS_A_MONTH
    worth = "" if price is None or monthly is None else f", worth {money_text(monthly, price.currency)} a month,"
    return PlanPoint(
        duration_days=days,
        effect=effect,
        effect_in_unit=effect * unit_scale,
        relative=effect / abs(question.level) if question.level else None,
        impact=impact,
        impact_per_month=monthly,
        power=None if question.effect is None else power(noise, question.effect, design),
        sentence=f"{days} days can detect {effect_text(effect * unit_scale, unit)[1:]}{worth} "
        f"with a chance of {question.power:.0%}.",
    )


def _needed(noise: Noise, question: PlanQuestion) -> tuple[int | None, str | None]:
    if question.effect is None or question.effect == 0:
        return None, "name the effect to find, other than zero, to learn how long it takes"
    days = required_days(
        noise,
        question.effect,
        baseline_days=question.baseline_days,
        confidence_level=question.confidence_level,
        power=question.power,
    )
    if days is None:
        return (
            None,
            "two years would not suffice: the baseline limits what can be seen; lengthen it or seek less noise",
        )
    return days, None


def _money(effect: float, question: PlanQuestion, days: int, price: PriceSnapshot | None) -> float | None:
    """Money of an effect over the window, absent without a price or without the participants it is per."""
    if price is None or (price.exposure == "participant" and question.participants_per_day is None):
        return None
    participants = (question.participants_per_day or 0.0) * days
    return effect * abs(
        money_per_effect(price, exposure_quantity(price.exposure, participants=participants, days=days))
    )


def _once(price: PriceSnapshot | None) -> bool:
    return price is not None and price.exposure == "experiment"
