"""Which column holds what: the shape of an upload is recognised from its column names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.problems import ProblemLog

ShapeName = Literal["long", "wide", "units"]

TIMES = ("timestamp", "time", "datetime", "date_time", "date", "hour", "day", "ts", "period_start", "utc_time")
METRICS = ("metric", "metric_id", "metric_name", "kpi", "measure", "indicator")
VALUES = ("value", "mean", "average", "avg", "metric_value", "mean_value")
COUNTS = ("sample_size", "samples", "n", "users", "participants", "visitors", "sessions", "observations", "count")
DENOMINATORS = ("denominator", "denom")
ARMS = ("arm", "group", "variant", "variation", "bucket", "branch", "condition", "treatment", "treated")
UNITS = (
    *("unit", "unit_id", "user_id", "user", "participant_id", "participant", "customer_id", "store_id", "store"),
    *("merchant_id", "merchant", "entity_id", "entity", "state", "region", "id"),
)
PERIODS = ("period", *TIMES, "quarter", "month", "year", "week", "post")
TREATED = ("treated", "is_treated", "treatment", "arm", "group", "variant")
OUTCOMES = ("outcome", "y", "value", "rate", "result", "response")


def _of_arm(arms: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """`treatment_value`, `value_treatment`, ... for every name of the arm."""
    pairs = [(arm, name) for name in names for arm in arms]
    return tuple(dict.fromkeys(text for arm, name in pairs for text in (f"{arm}_{name}", f"{name}_{arm}")))


_TREATMENT, _CONTROL = ("treatment", "treated", "test"), ("control",)


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of upload: its fields and the names they go by, the clearest first."""

    name: ShapeName
    fields: Mapping[str, tuple[str, ...]]
    optional: frozenset[str]

    def match(self, header: Mapping[str, str], mapping: Mapping[str, str]) -> dict[str, str]:
        """Field → column: what the caller mapped, then each field's clearest name among the columns left."""
        found = {field: mapping[field] for field in self.fields if field in mapping}
        for field, names in self.fields.items():
            free = (header[name] for name in names if name in header and header[name] not in found.values())
            if field not in found and (column := next(free, None)) is not None:
                found[field] = column
        return found

    def missing(self, found: Mapping[str, str]) -> list[str]:
        """The required fields that no column was found for."""
        return [field for field in self.fields if field not in found and field not in self.optional]


SHAPES = (
    Shape(
        "wide",
        {
            "timestamp": TIMES,
            "treatment_value": (*_of_arm(_TREATMENT, VALUES), *_TREATMENT),
            "control_value": (*_of_arm(_CONTROL, VALUES), *_CONTROL),
            "treatment_sample_size": _of_arm(_TREATMENT, COUNTS),
            "control_sample_size": _of_arm(_CONTROL, COUNTS),
            "metric": METRICS,
            "treatment_denominator": _of_arm(_TREATMENT, DENOMINATORS),
            "control_denominator": _of_arm(_CONTROL, DENOMINATORS),
        },
        frozenset({"metric", "treatment_denominator", "control_denominator"}),
    ),
    Shape(
        "long",
        {
            "timestamp": TIMES,
            "metric": METRICS,
            "arm": ARMS,
            "value": VALUES,
            "sample_size": COUNTS,
            "denominator": DENOMINATORS,
        },
        frozenset({"metric", "denominator"}),
    ),
    Shape(
        "units",
        {"unit": UNITS, "period": PERIODS, "treated": TREATED, "outcome": OUTCOMES, "metric": METRICS},
        frozenset({"metric"}),
    ),
)
FIELDS = frozenset(field for shape in SHAPES for field in shape.fields)


@dataclass(frozen=True, slots=True)
class Layout:
    """The shape recognised, and the column of each of its fields."""

    shape: ShapeName
    columns: Mapping[str, str]


def recognise(header: Iterable[str], mapping: Mapping[str, str], log: ProblemLog) -> Layout | None:
    """The shape whose required fields are all there; otherwise the nearest one's missing columns go to `log`.

    Raises:
        InvalidInput: `mapping` names a field that no shape has.
    """
    if strangers := sorted(set(mapping) - FIELDS):
        raise InvalidInput(f"mapping names {', '.join(strangers)}; the fields are {', '.join(sorted(FIELDS))}.")
    header = list(header)
    if absent := [column for column in mapping.values() if column not in header]:
        for column in absent:
            log.add("The mapping names a column that the file does not have.", _columns_are(header), column=column)
        return None
    by_name = {snake_case(column): column for column in reversed(header)}
    candidates = [(shape, shape.match(by_name, mapping)) for shape in SHAPES]
    shape, found = min(candidates, key=lambda pair: len(pair[0].missing(pair[1])))
    for field in shape.missing(found):
        log.add(
            f"No column for {field} (read as the {shape.name} form).",
            f"Add it under that name, or map it: {field} = your column. {_columns_are(header)}",
            column=field,
        )
    return None if shape.missing(found) else Layout(shape.name, found)


def snake_case(name: str) -> str:
    """`treatmentSampleSize`, `Treatment sample-size` and `treatment_sample_size` are one name.

    Examples:
        >>> snake_case("treatmentSampleSize"), snake_case(" Sample  Size "), snake_case("AOV")
        ('treatment_sample_size', 'sample_size', 'aov')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-_.]+", "_", words).strip("_").lower()


def _columns_are(header: list[str]) -> str:
    return f"The file's columns are: {', '.join(header[:20]) or 'none'}."
