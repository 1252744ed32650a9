"""Which column holds what: the shape of an upload is recognised from its column names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from rallyuxr.errors import InvalidInput
from rallyuxr.ingest.problems import ProblemLog
from rallyuxr.ingest.table import Table

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
class Layout:
    """A shape, the column of each of its fields, and the required fields that no column was found for."""

    shape: ShapeName
    columns: Mapping[str, str]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """A form of upload: its fields and the names they go by, the clearest first."""

    name: ShapeName
    required: Mapping[str, tuple[str, ...]]
    optional: Mapping[str, tuple[str, ...]]

    def match(self, header: Mapping[str, str], mapping: Mapping[str, str]) -> Layout:
        """Field → column: what the caller mapped, then each field's clearest name among the columns left."""
        fields = {**self.required, **self.optional}
        found = {field: mapping[field] for field in fields if field in mapping}
        for field, names in fields.items():
            free = (header[name] for name in names if name in header and header[name] not in found.values())
            if field not in found and (column := next(free, None)) is not None:
                found[field] = column
        return Layout(self.name, found, tuple(field for field in self.required if field not in found))


ORIGIN = {"data_source": ("data_source",)}
WIDE = Shape(
    "wide",
    required={
        "timestamp": TIMES,
        "treatment_value": (*_of_arm(_TREATMENT, VALUES), *_TREATMENT),
        "control_value": (*_of_arm(_CONTROL, VALUES), *_CONTROL),
        "treatment_sample_size": _of_arm(_TREATMENT, COUNTS),
        "control_sample_size": _of_arm(_CONTROL, COUNTS),
    },
    optional={
        "metric": METRICS,
        "treatment_denominator": _of_arm(_TREATMENT, DENOMINATORS),
        "control_denominator": _of_arm(_CONTROL, DENOMINATORS),
        **ORIGIN,
    },
)
LONG = Shape(
    "long",
    required={"timestamp": TIMES, "arm": ARMS, "value": VALUES, "sample_size": COUNTS},
    optional={"metric": METRICS, "denominator": DENOMINATORS, **ORIGIN},
)
UNIT_LEVEL = Shape(
    "units",
    required={"unit": UNITS, "period": PERIODS, "treated": TREATED, "outcome": OUTCOMES},
    optional={"metric": METRICS, **ORIGIN},
)
SHAPES: Mapping[ShapeName, Shape] = {shape.name: shape for shape in (LONG, WIDE, UNIT_LEVEL)}
FIELDS = frozenset(field for shape in SHAPES.values() for field in (*shape.required, *shape.optional))


def recognise(table: Table, mapping: Mapping[str, str], log: ProblemLog) -> Layout | None:
    """The shape whose required fields are all there; otherwise the nearest one's missing columns go to `log`.

    Columns without content count only where no shape is complete without them.

    Raises:
        InvalidInput: `mapping` names a field that no shape has.
    """
    if strangers := sorted(set(mapping) - FIELDS):
        raise InvalidInput(f"mapping names {', '.join(strangers)}; the fields are {', '.join(sorted(FIELDS))}.")
    columns_are = f"The file's columns are: {', '.join(list(table.columns)[:20]) or 'none'}."
    if absent := [column for column in mapping.values() if column not in table.columns]:
        for column in absent:
            log.add("The mapping names a column that the file does not have.", columns_are, column=column)
        return None
    filled = [name for name, column in table.columns.items() if column.filled()]
    layout = _nearest(filled, mapping)
    if layout.missing:
        layout = _nearest(table.columns, mapping)
    for field in layout.missing:
        log.add(
            f"No column for {field} (read as the {layout.shape} form).",
            f"Add it under that name, or map it: {field} = your column. {columns_are}",
            column=field,
        )
    return None if layout.missing else layout


def _nearest(columns: Iterable[str], mapping: Mapping[str, str]) -> Layout:
    """The shape that lacks least; of several, the one that says most: both arms, a column called unit, an arm."""
    header = {snake_case(column): column for column in reversed(list(columns))}
    shapes = (WIDE, UNIT_LEVEL, LONG) if "unit" in header else (WIDE, LONG, UNIT_LEVEL)
    return min((shape.match(header, mapping) for shape in shapes), key=lambda layout: len(layout.missing))


def snake_case(name: str) -> str:
    """`treatmentSampleSize`, `Treatment sample-size` and `treatment_sample_size` are one name.

    Examples:
        >>> snake_case("treatmentSampleSize"), snake_case(" Sample  Size "), snake_case("AOV")
        ('treatment_sample_size', 'sample_size', 'aov')
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[\s\-_.]+", "_", words).strip("_").lower()
