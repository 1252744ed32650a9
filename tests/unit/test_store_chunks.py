"""A data version survives its division into items, and no item comes near the limit of 400 KB."""

from dataclasses import fields

import numpy as np

from rallyuxr.models import ExperimentData, MetricSeries, UnitPanel
from rallyuxr.store.chunks import chunk_items, content_digest, read_chunks


def series(first: str, last: str, *, step: str = "h", ratio: bool = False, seed: int = 1) -> MetricSeries:
    rng = np.random.default_rng(seed)
    stamps = np.arange(first, last, dtype=f"datetime64[{step}]").astype("datetime64[s]")
    columns = rng.standard_normal((6, stamps.size))
    columns[2:] = np.abs(columns[2:]).round(3)
    return MetricSeries(stamps, *columns[: 6 if ratio else 4])


def panel(units: int, periods: int, seed: int = 2) -> UnitPanel:
    rng = np.random.default_rng(seed)
    stamps = np.arange(periods) * np.timedelta64(86400, "s") + np.datetime64("2025-01-01", "s")
    return UnitPanel(
        units=tuple(f"person Ä {number}" for number in range(units)),
        periods=stamps,
        unit=np.repeat(np.arange(units, dtype=np.int32), periods),
        period=np.tile(np.arange(periods, dtype=np.int32), units),
        treated=(np.arange(units) % 2).astype(np.int8),
        outcome=rng.standard_normal(units * periods),
    )


def assert_same(one: object, other: object) -> None:
    for field in fields(one):  # type: ignore[arg-type]
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes()
        else:
            assert left == right


def through_items(data: ExperimentData) -> tuple[dict[str, MetricSeries], dict[str, UnitPanel]]:
    items = sorted(chunk_items(data), key=lambda pair: pair[0])
    return read_chunks(item for _, item in items)


def test_hours_are_one_item_a_month_and_come_back_exactly() -> None:
    data = ExperimentData(
        series={"ctr": series("2024-12-20", "2025-02-03"), "aov": series("2025-01-01", "2025-01-09")}
    )
    assert [place for place, _ in chunk_items(data)] == [
        "ctr#2024-12",
        "ctr#2025-01",
        "ctr#2025-02",
        "aov#2025-01",
    ]
    back, _ = through_items(data)
    for name in data.series:
        assert_same(data.series[name], back[name])


def test_ratios_keep_their_denominators_and_absent_hours_stay_absent() -> None:
    ratio = series("2025-01-01", "2025-01-05", ratio=True)
    ratio.treatment[3] = np.nan
    back, _ = through_items(ExperimentData(series={"aov": ratio}))
    assert_same(ratio, back["aov"])


def test_days_are_one_item_a_year() -> None:
    data = ExperimentData(series={"ctr": series("2024-06-01", "2025-06-01", step="D")}, granularity="daily")
    assert [place for place, _ in chunk_items(data)] == ["ctr#2024", "ctr#2025"]


def test_minutes_split_a_month_into_items_below_the_limit() -> None:
    data = ExperimentData(series={"ctr": series("2025-01-01", "2025-02-01", step="m", ratio=True)})
    items = dict(chunk_items(data))
    assert list(items)[:2] == ["ctr#2025-01", "ctr#2025-01-001"]
    assert max(len(item["columns"]) for item in items.values()) < 300_000
    assert_same(data.series["ctr"], through_items(data)[0]["ctr"])


def test_a_large_panel_splits_into_parts_and_comes_back_exactly() -> None:
    data = ExperimentData(panels={"spend": panel(5000, 20)}, granularity="units")
    sizes = [len(item["panel"]) for _, item in chunk_items(data)]
    assert len(sizes) > 1
    assert max(sizes) <= 350_000
    assert_same(data.panels["spend"], through_items(data)[1]["spend"])


def test_each_item_says_in_clear_what_it_holds() -> None:
    stamps = np.array(["2025-01-01T00", "2025-01-01T01"], dtype="datetime64[s]")
    two = MetricSeries(stamps, np.array([0.03, 0.3]), np.array([0.1, np.nan]), np.array([1000.0, 10.0]), np.ones(2))
    ((_, item),) = chunk_items(ExperimentData(series={"ctr": two}))
    assert item["rows"] == 2
    assert (item["firstAt"], item["lastAt"]) == ("2025-01-01T00:00:00Z", "2025-01-01T01:00:00Z")
    # Σ n·y / Σ n = (30 + 3) / 1010, and the absent hour counts for nothing.
    assert item["summary"]["treatmentMean"] == (1000 * 0.03 + 10 * 0.3) / 1010
    assert item["summary"]["controlMean"] == 0.1


def test_equal_content_has_one_digest_whatever_the_order_of_its_metrics() -> None:
    one, two = series("2025-01-01", "2025-01-03"), series("2025-01-01", "2025-01-03", seed=5)
    digest = content_digest(ExperimentData(series={"a": one, "b": two}))
    assert digest == content_digest(ExperimentData(series={"b": two, "a": one}))
    assert digest != content_digest(ExperimentData(series={"a": two, "b": one}))
    assert digest != content_digest(ExperimentData(series={"a": one, "b": two}, source="simulator"))
