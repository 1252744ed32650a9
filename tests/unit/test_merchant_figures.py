"""A merchant's figures say what is over and what is not, on the merchant's clock."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from rallyuxr.dashboard import merchant_figures
from rallyuxr.models.aggregate import Analytics, AnalyticsGranularity, AnalyticsRange, AnalyticsRow, Freshness
from rallyuxr.models.order import Merchant

BERLIN = Merchant(merchant_id="tea", name="Tea", time_zone="Europe/Berlin", currency="EUR")
HALF_PAST_MIDNIGHT = datetime(2025, 6, 3, 22, 30, tzinfo=UTC)
"""Half an hour into Wednesday 4 June in Berlin; in UTC it is still Tuesday."""


def seen(
    granularity: AnalyticsGranularity,
    first: date,
    last: date,
    nets: dict[datetime, int],
    comparison: AnalyticsRange | None = None,
) -> Analytics:
    return Analytics(
        merchant=BERLIN,
        granularity=granularity,
        range=a_range(granularity, first, last, nets),
        comparison=comparison,
        freshness=Freshness(),
    )


def a_range(
    granularity: AnalyticsGranularity, first: date, last: date, nets: dict[datetime, int]
) -> AnalyticsRange:
    length = timedelta(hours=1) if granularity == "hourly" else timedelta(days=1)
    rows = tuple(
        AnalyticsRow(start=start, end=start + length, net=Decimal(net), new_customers=1, returning_customers=1)
        for start, net in nets.items()
    )
    totals = AnalyticsRow(start=BERLIN.midnight(first), end=BERLIN.midnight(last))
    return AnalyticsRange(first=first, last=last, totals=totals, rows=rows)


def june(day: int) -> datetime:
    """The start of that day in Berlin, two hours before UTC's."""
    return datetime(2025, 6, day, tzinfo=UTC) - timedelta(hours=2)


DAYS = {june(2): 100, june(3): 90, june(4): 5}


def net(row: AnalyticsRow) -> float:
    return float(row.net or 0)


def wall_clock(moment: datetime) -> str:
    assert moment.tzinfo is None, "Plotly draws times with a zone in UTC"
    return f"{moment.day} {moment:%b %H:%M}"


def drawn(analytics: Analytics, until: datetime) -> list[tuple[str | None, str, list[tuple[str, float]]]]:
    """Each trace: its name where the legend has it, its mode, its points."""
    return [
        (
            None if trace.showlegend is False else trace.name,
            trace.mode,
            list(zip(map(wall_clock, trace.x), trace.y, strict=True)),
        )
        for trace in merchant_figures.over_time(analytics, net, title="Net sales", until=until).data
    ]


def test_the_merchants_day_that_is_not_over_is_a_hollow_point_dotted_to_the_line():
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS)
    figure = merchant_figures.over_time(analytics, net, title="Net sales", until=HALF_PAST_MIDNIGHT)
    assert drawn(analytics, HALF_PAST_MIDNIGHT) == [
        ("This range", "lines", [("2 Jun 00:00", 100), ("3 Jun 00:00", 90)]),
        (None, "lines", [("3 Jun 00:00", 90), ("4 Jun 00:00", 5)]),
        ("Today so far", "markers", [("4 Jun 00:00", 5)]),
    ]
    line, way, point = figure.data
    assert (line.line.dash, way.line.dash, point.marker.symbol) == ("solid", "dot", "circle-open")


def test_a_range_of_finished_days_is_one_line():
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 4), DAYS)
    assert [name for name, _, _ in drawn(analytics, HALF_PAST_MIDNIGHT)] == ["This range"]
    whole = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS)
    assert [name for name, _, _ in drawn(whole, june(5) + timedelta(days=30))] == ["This range"]


def test_at_midnight_sharp_the_day_before_is_over():
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS)
    (line,) = drawn(analytics, june(4))
    assert line == ("This range", "lines", [("2 Jun 00:00", 100), ("3 Jun 00:00", 90)])


def test_today_alone_is_a_point_and_without_orders_it_is_zero():
    analytics = seen("daily", date(2025, 6, 4), date(2025, 6, 5), {})
    assert drawn(analytics, HALF_PAST_MIDNIGHT)[-1] == ("Today so far", "markers", [("4 Jun 00:00", 0)])
    assert "This range" not in [name for name, _, _ in drawn(analytics, HALF_PAST_MIDNIGHT)]


def test_the_comparison_is_drawn_whole_also_where_today_is_compared_with_it():
    earlier = a_range("daily", date(2025, 5, 30), date(2025, 6, 2), {june(1): 70})
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS, comparison=earlier)
    name, _, points = drawn(analytics, HALF_PAST_MIDNIGHT)[0]
    assert (name, points[-1]) == ("Comparison", ("4 Jun 00:00", 70))


def test_the_hour_that_is_not_over_is_the_hollow_one_by_hours():
    hours = {june(4) - timedelta(hours=1): 12, june(4): 3}
    traces = drawn(seen("hourly", date(2025, 6, 3), date(2025, 6, 5), hours), HALF_PAST_MIDNIGHT)
    assert traces[0][2][-1] == ("3 Jun 23:00", 12)
    assert traces[-1] == ("This hour so far", "markers", [("4 Jun 00:00", 3)])


def test_the_second_of_two_hours_that_the_clock_repeats_is_the_one_that_runs():
    # On 26 October 2025 Berlin's clocks go from 3:00 back to 2:00, at 01:00 UTC.
    hours = {datetime(2025, 10, 26, 0, tzinfo=UTC): 8, datetime(2025, 10, 26, 1, tzinfo=UTC): 2}
    analytics = seen("hourly", date(2025, 10, 26), date(2025, 10, 27), hours)
    line, _, point = drawn(analytics, datetime(2025, 10, 26, 1, 20, tzinfo=UTC))
    assert line[2][-1] == ("26 Oct 02:00", 8)
    assert point[2] == [("26 Oct 02:00", 2)]


def test_the_bar_of_the_day_that_is_not_over_is_hatched():
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS)
    for bars in merchant_figures.customers(analytics, until=HALF_PAST_MIDNIGHT).data:
        assert list(bars.marker.pattern.shape) == ["", "", "/"]


def test_what_is_compared_leaves_out_the_day_that_runs_and_the_one_it_would_be_held_against():
    earlier = a_range("daily", date(2025, 5, 30), date(2025, 6, 2), {june(1) - timedelta(days=1): 60, june(1): 70})
    analytics = seen("daily", date(2025, 6, 2), date(2025, 6, 5), DAYS, comparison=earlier)
    over, before = merchant_figures.finished(analytics, HALF_PAST_MIDNIGHT)
    assert ([net(row) for row in over], [net(row) for row in before]) == ([100, 90], [60])
    over, before = merchant_figures.finished(analytics, june(5))
    assert ([net(row) for row in over], [net(row) for row in before]) == ([100, 90, 5], [60, 70])


def test_by_hours_what_is_compared_ends_at_the_same_hour_of_both_clocks():
    # Summer time began on 30 March 2025: 10:00 in Berlin is 8:00 UTC in one week and was 9:00 UTC a week before.
    nine = datetime(2025, 4, 1, 7, tzinfo=UTC)
    earlier = {datetime(2025, 3, 25, hour, tzinfo=UTC): hour for hour in (7, 8, 9, 10)}
    analytics = seen(
        "hourly",
        date(2025, 4, 1),
        date(2025, 4, 2),
        {nine: 1, nine + timedelta(hours=1): 2},
        comparison=a_range("hourly", date(2025, 3, 25), date(2025, 3, 26), earlier),
    )
    over, before = merchant_figures.finished(analytics, nine + timedelta(minutes=90))
    assert ([net(row) for row in over], [net(row) for row in before]) == ([1], [7, 8])
