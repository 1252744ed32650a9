"""A new experiment's file of results: how it is read, its first rows, and everything that is wrong with it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import session, uploads, widgets
from rallyuxr.dashboard.draft import key, value
from rallyuxr.dashboard.tables import html_table
from rallyuxr.ingest import SHAPES, ReadOptions, Upload
from rallyuxr.models import ExperimentPlan, MetricValue

ROWS = {
    "long": "an hour or day of one arm",
    "wide": "an hour or day of both arms",
    "units": "a unit in a period",
}
"""What a row of each shape is."""
SIGNS = {".": "a point", ",": "a comma"}
ARMS = ("treatment", "control")
FORMS = (
    "CSV, Parquet or JSON: rows of timestamp, metric, arm, value and sample_size, or with values and sizes of both "
    "arms; the API's own record; or one row per unit and period with unit, period, treated and outcome."
)
PROBLEMS_SHOWN = 50


def upload(plan: ExperimentPlan | None, prices: Mapping[str, MetricValue]) -> Upload | None:
    """A file of results, inspected against the plan: how it was understood and what is wrong with it."""
    given = st.file_uploader("Results", type=["csv", "tsv", "txt", "parquet", "json"], key="plan-file", help=FORMS)
    if given is None:
        st.caption(FORMS)
        return None
    zone = st.text_input(
        "Time zone of times without one",
        key=key("zone"),
        persist_state="session",
        placeholder="UTC, Europe/Berlin, …",
    )
    options: dict[str, Any] = {
        "experiment": plan,
        "value_types": {metric_id: price.value_type for metric_id, price in prices.items()},
        "now": session.connection().clock(),
        "time_zone": (zone or "").strip() or None,
        "decimal": value("decimal sign", "."),
        "arms": _arms(),
    }
    with widgets.explained():
        found = _inspected(given.getvalue(), options)
        _understood(found)
        _reading(found)
        _judged(found)
        return found
    return None


def _inspected(content: bytes, options: Mapping[str, Any]) -> Upload:
    """The file, read with the columns chosen by hand; those of an earlier file count where this one has them."""
    mapping = _mapping()
    found = uploads.read(content, ReadOptions(**options, mapping=mapping))
    kept = {name: column for name, column in mapping.items() if column in found.header}
    if kept == mapping:
        return found
    for name in mapping.keys() - kept:
        st.session_state[key(f"column of {name}")] = None
    return uploads.read(content, ReadOptions(**options, mapping=kept))


def _mapping() -> dict[str, str]:
    """Field → column, as chosen by hand for rows of this shape."""
    return {name: column for name in _fields() if (column := value(f"column of {name}"))}


def _fields() -> list[str]:
    """What rows of the chosen shape may have, beside what says where they come from."""
    shape = SHAPES[value("rows", "long")]
    return [name for name in (*shape.required, *shape.optional) if name != "data_source"]


def _names() -> dict[str, str]:
    """Arm → what the file calls it, as typed."""
    return {arm: name for arm in ARMS if (name := value(f"name of {arm}", "").strip())}


def _arms() -> dict[str, str]:
    """The file's own names of the arms; none where both have the same, which tells nothing."""
    return {} if _one_name() else {name: arm for arm, name in _names().items()}


def _one_name() -> bool:
    names = [name.lower() for name in _names().values()]
    return len(set(names)) < len(names)


def _understood(found: Upload) -> None:
    """How the file was understood, and its first rows."""
    facts = [
        f"{found.n_rows:,} rows",
        f"shape {found.shape}" if found.shape else "shape not recognised",
        found.granularity,
        f"delimiter {found.delimiter!r}" if found.delimiter else None,
        f"times in {found.time_zone}" if found.time_zone else None,
    ]
    st.caption(f.plain(", ".join(fact for fact in facts if fact)))
    if found.header:
        st.dataframe(pd.DataFrame(found.first_rows, columns=list(found.header)), hide_index=True)


def _reading(found: Upload) -> None:
    """What the file's names and numbers do not tell."""
    st.session_state.setdefault(key("rows"), found.shape or "long")
    st.session_state.setdefault(key("decimal sign"), ".")
    touched = bool(_mapping() or _names()) or value("decimal sign") != "."
    # as long as a hand is at work here, the fields stay where they are
    with st.expander("Columns", expanded=found.shape is None or touched, icon=":material/view_column:"):
        st.segmented_control(
            "Each row is",
            list(ROWS),
            format_func=ROWS.__getitem__,
            key=key("rows"),
            persist_state="session",
            required=True,
        )
        fields = _fields()
        for first in range(0, len(fields), 3):  # a row each, so that a phone keeps the order
            for name, place in zip(fields[first : first + 3], st.columns(3), strict=False):
                place.selectbox(
                    f"Column of {name}",
                    found.header,
                    index=None,
                    placeholder=_looked_for(found, name),
                    key=key(f"column of {name}"),
                    persist_state="session",
                )
        sign, *names = st.columns(3)
        sign.segmented_control(
            "Decimals follow",
            list(SIGNS),
            format_func=SIGNS.__getitem__,
            key=key("decimal sign"),
            persist_state="session",
            required=True,
        )
        for arm, place in zip(ARMS, names, strict=True):
            place.text_input(
                f"The file calls {arm}",
                key=key(f"name of {arm}"),
                persist_state="session",
                placeholder="only if it has a name of its own",
                disabled=value("rows") == "wide",
            )
        if _one_name():
            st.error(
                f"The file calls both arms {f.plain(_names()['control'])}: give each its own name, or neither one.",
                icon=":material/error:",
            )


def _looked_for(found: Upload, name: str) -> str:
    if recognised := found.columns.get(name):
        return f"found: {recognised}"
    return "not found, choose one" if name in SHAPES[value("rows")].required else "not found, may be absent"


def _judged(found: Upload) -> None:
    """Whether it can be used, and everything that is wrong with it."""
    widgets.cautions(found.warnings)
    if not found.problems:
        st.markdown(f":material/check_circle: Ready: {f.plain(', '.join(one.metric_id for one in found.metrics))}.")
        return
    st.error(f"{f.count(found.problem_count, 'problem')}. Nothing is stored until mended.", icon=":material/error:")
    names = ("row", "column", "value", "message", "remedy")
    rows = [
        {f.words(name): f.ABSENT if (cell := getattr(one, name)) is None else str(cell) for name in names}
        for one in found.problems[:PROBLEMS_SHOWN]
    ]
    st.html(html_table(rows))
    widgets.download("All problems as CSV", found.problems_csv, file_name="problems.csv", mime="text/csv")
