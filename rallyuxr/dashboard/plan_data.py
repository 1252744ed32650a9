"""Where a new experiment's data comes from: a file with its preview, the simulator with its truth, orders, API."""

from collections.abc import Mapping
from itertools import chain, cycle
from typing import Any, get_args

import pandas as pd
import streamlit as st

from rallyuxr.dashboard import formatting as f
from rallyuxr.dashboard import session, uploads, widgets
from rallyuxr.dashboard.draft import key, usual_measure, value
from rallyuxr.dashboard.plan_form import problem
from rallyuxr.dashboard.reading import Reading
from rallyuxr.dashboard.tables import html_table
from rallyuxr.ingest import ReadOptions, Upload
from rallyuxr.models import CreateExperiment, ExperimentPlan, MetricValue, SimulatedMetric
from rallyuxr.models.experiment import OrderMeasure
from rallyuxr.services import merchants
from rallyuxr.simulation import default_metric

SOURCES = {
    "upload": "File",
    "simulator": "Simulator",
    "orders": "Orders",
    "api": "API, later",
}
MAPPABLE = {
    "Rows of hours or days": ("timestamp", "metric", "arm", "value", "sample_size"),
    "Rows of units": ("unit", "period", "treated", "outcome"),
}
FORMS = (
    "CSV, Parquet or JSON: rows of timestamp, metric, arm, value and sample_size; the API's own record; or one row "
    "per unit and period with unit, period, treated and outcome."
)
PROBLEMS_SHOWN = 50


def source() -> None:
    """The choice of a source."""
    st.segmented_control(
        "Data from",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key=key("source"),
        persist_state="session",
        required=True,
    )


def details(
    plan: CreateExperiment | None, prices: Mapping[str, MetricValue], found: Mapping[str, str]
) -> Upload | None:
    """What the chosen source needs; the inspected file where there is one."""
    chosen = value("source")
    if chosen == "upload":
        return file(plan, prices)
    if chosen == "simulator":
        _simulator(prices)
    elif chosen == "orders":
        _orders(found)
    else:
        st.info("The experiment waits for its data: send it to POST /experiments/{id}/results.")
    return None


def file(plan: ExperimentPlan | None, prices: Mapping[str, MetricValue]) -> Upload | None:
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
    }
    with widgets.explained():
        upload = _inspected(given.getvalue(), options)
        _preview(upload)
        return upload
    return None


def _inspected(content: bytes, options: Mapping[str, Any]) -> Upload:
    """The file, read with the columns chosen by hand; those of an earlier file count where this one has them."""
    mapping = _mapping()
    upload = uploads.read(content, ReadOptions(**options, mapping=mapping))
    kept = {name: column for name, column in mapping.items() if column in upload.header}
    if kept == mapping:
        return upload
    for name in mapping.keys() - kept:
        st.session_state[key(f"column of {name}")] = None
    return uploads.read(content, ReadOptions(**options, mapping=kept))


def _mapping() -> dict[str, str]:
    """Field → column, as chosen by hand."""
    return {name: column for name in chain(*MAPPABLE.values()) if (column := value(f"column of {name}"))}


def _preview(upload: Upload) -> None:
    """How the file was understood, its first rows, and everything that is wrong with it."""
    facts = [
        f"{upload.n_rows:,} rows",
        f"shape {upload.shape}" if upload.shape else "shape not recognised",
        upload.granularity,
        f"delimiter {upload.delimiter!r}" if upload.delimiter else None,
        f"times in {upload.time_zone}" if upload.time_zone else None,
    ]
    st.caption(f.plain(", ".join(fact for fact in facts if fact)))
    if upload.header:
        st.dataframe(pd.DataFrame(upload.first_rows, columns=list(upload.header)), hide_index=True)
    chosen = bool(_mapping())  # as long as a hand is at work here, the fields stay where they are
    with st.expander("Columns", expanded=upload.shape is None or chosen, icon=":material/view_column:"):
        for form, names in MAPPABLE.items():
            st.caption(f"{form} need:")
            for name, place in zip(names, cycle(st.columns(3)), strict=False):
                recognised = upload.columns.get(name)
                place.selectbox(
                    f"Column of {name}",
                    upload.header,
                    index=None,
                    placeholder=f"found: {recognised}" if recognised else "not found, choose one",
                    key=key(f"column of {name}"),
                    persist_state="session",
                )
    widgets.cautions(upload.warnings)
    if not upload.problems:
        st.markdown(
            f":material/check_circle: Ready: {f.plain(', '.join(one.metric_id for one in upload.metrics))}."
        )
        return
    st.error(
        f"{f.count(upload.problem_count, 'problem')}. Nothing is stored until mended.", icon=":material/error:"
    )
    names = ("row", "column", "value", "message", "remedy")
    rows = [
        {f.words(name): f.ABSENT if (cell := getattr(one, name)) is None else str(cell) for name in names}
        for one in upload.problems[:PROBLEMS_SHOWN]
    ]
    st.html(html_table(rows))
    widgets.download("All problems as CSV", upload.problems_csv, file_name="problems.csv", mime="text/csv")


def _simulator(prices: Mapping[str, MetricValue]) -> None:
    """What is planted, in stored values; the results page shows whether the interval caught it."""
    widgets.simulated_badge()
    st.caption("Made-up data with an effect that you set, to try the design and to see what its intervals catch.")
    participants, seed = st.columns(2)
    st.session_state.setdefault(key("participants"), 1000)
    st.session_state.setdefault(key("seed"), 1)
    participants.number_input(
        "Participants an hour", min_value=1, max_value=10_000_000, key=key("participants"), persist_state="session"
    )
    seed.number_input(
        "Seed", min_value=0, key=key("seed"), persist_state="session", help="The same seed gives the same data."
    )
    for metric_id in value("metrics", []):
        _planted(metric_id, default_metric(metric_id, value("expected")), prices.get(metric_id))


def _planted(metric_id: str, usual: SimulatedMetric, price: MetricValue | None) -> None:
    for name, default in (("baseline", usual.baseline), ("effect", usual.effect), ("kind", usual.kind)):
        st.session_state.setdefault(key(f"{name} of {metric_id}"), default)
    level, effect, kind = st.columns(3)
    level.number_input(
        f"Mean of {metric_id}", format="%g", key=key(f"baseline of {metric_id}"), persist_state="session"
    )
    effect.number_input(
        f"True effect on {metric_id}", format="%g", key=key(f"effect of {metric_id}"), persist_state="session"
    )
    kinds = get_args(SimulatedMetric.model_fields["kind"].annotation)
    kind.selectbox(
        f"Values of {metric_id}",
        kinds,
        format_func=f.words,
        key=key(f"kind of {metric_id}"),
        persist_state="session",
    )
    before, planted = value(f"baseline of {metric_id}"), value(f"effect of {metric_id}")
    if before is not None and planted is not None:
        st.caption(
            f.plain(f"The truth: {truth(metric_id, before, planted, price)}. The analysis does not know it.")
        )


def truth(metric_id: str, before: float, planted: float, price: MetricValue | None) -> str:
    """A planted effect in words, in the metric's unit where it has one.

    >>> truth("visits", 40.0, 2.0, None), truth("support_contacts", 0.012, 0.0, None)
    ('Visits goes from 40 to 42, +2', 'Support contacts stays at 0.012')
    """
    metric = Reading(price.name, price.unit, price.unit_scale) if price else Reading(f.words(metric_id), "", 1.0)
    level = metric.level if price else f.number
    if not planted:
        return f"{metric.name} stays at {level(before)}"
    return f"{metric.name} goes from {level(before)} to {level(before + planted)}, {metric.change(planted).strip()}"


def _orders(found: Mapping[str, str]) -> None:
    """Which merchants, where the arms come from, and what each metric measures."""
    known = f.told_apart({one.merchant_id: one.name for one in merchants.list_merchants(session.connection())})
    if not known:
        widgets.empty("No merchants yet", "Register one on the page Order form first.")
        return
    chosen = st.multiselect(
        "Merchants", list(known), format_func=known.__getitem__, key=key("merchants"), persist_state="session"
    )
    problem(found, "orders")
    ways = {"arm": "the arm on each order", "merchant": "treated merchants against the others"}
    st.session_state.setdefault(key("arms from"), "arm")
    by = st.radio(
        "Arms are", list(ways), format_func=ways.__getitem__, key=key("arms from"), persist_state="session"
    )
    if by == "merchant":
        st.multiselect(
            "Treated merchants",
            chosen,
            format_func=known.__getitem__,
            key=key("treated merchants"),
            persist_state="session",
        )
    for metric_id in value("metrics", []):
        st.session_state.setdefault(key(f"measure {metric_id}"), usual_measure(metric_id))
        st.selectbox(
            f"{metric_id} measures",
            get_args(OrderMeasure),
            format_func=f.words,
            key=key(f"measure {metric_id}"),
            persist_state="session",
        )
