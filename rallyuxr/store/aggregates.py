"""Aggregates in S3: whole objects, replaced only over the version that was read.

| key under `aggregates/v1/`                      | holds                                              |
|-------------------------------------------------|----------------------------------------------------|
| `state/merchant=…/day=2025-01-15.json`          | the day's tallies by hour, customers by name       |
| `hourly/merchant=…/day=2025-01-15.json`         | the day's hourly rows                              |
| `daily/merchant=…/month=2025-01.json`           | the month's daily rows                             |
| `parquet/hourly/merchant=…/month=…/rows.parquet`| hourly rows, for DuckDB and Athena                 |
| `parquet/daily/merchant=…/month=…/rows.parquet` | daily rows, likewise                               |
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from rallyuxr.errors import NotFound, Unavailable
from rallyuxr.models.aggregate import AggregateBook, AnalyticsGranularity, Book, DayTallies
from rallyuxr.store.cloud import Cloud
from rallyuxr.store.faults import ConditionFailed, pause

PREFIX = "aggregates/v1"
REPLACE_ATTEMPTS = 30
AnyBook = TypeVar("AnyBook", bound=Book)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a listing: what period it covers, and which version it is."""

    key: str
    period: str
    etag: str
    modified_at: datetime


class AggregateRepository:
    """One deployment's aggregates."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def tallies(self, merchant_id: str, day: date) -> DayTallies | None:
        """The tallies of a merchant's day, or None."""
        return self._read(_state_key(merchant_id, day), DayTallies)[0]

    def replace_tallies(
        self, merchant_id: str, day: date, compute: Callable[[DayTallies | None], DayTallies]
    ) -> None:
        """Replace a day's tallies by what `compute` makes of them; see `_replace`."""
        self._replace(_state_key(merchant_id, day), DayTallies, compute)

    def replace_hours(
        self, merchant_id: str, day: date, compute: Callable[[AggregateBook | None], AggregateBook]
    ) -> None:
        """Replace a day's hourly rows; see `_replace`."""
        self._replace(_rows_key("hourly", merchant_id, str(day)), AggregateBook, compute)

    def replace_days(
        self, merchant_id: str, month: str, compute: Callable[[AggregateBook | None], AggregateBook]
    ) -> None:
        """Replace a month's daily rows; see `_replace`."""
        self._replace(_rows_key("daily", merchant_id, month), AggregateBook, compute)

    def listing(
        self, granularity: AnalyticsGranularity, merchant_id: str, first: date, last: date
    ) -> Iterator[StoredObject]:
        """The stored objects with rows from `first` to `last`, oldest first."""
        width = len("2025-01") if granularity == "daily" else len("2025-01-15")
        lower, upper = (_rows_key(granularity, merchant_id, str(day)[:width]) for day in (first, last))
        prefix = lower[: -len(f"{str(first)[:width]}.json")]
        parameters = {"Bucket": self._cloud.bucket, "Prefix": prefix, "StartAfter": lower.removesuffix(".json")}
        while True:
            answer = self._cloud.call("s3", "list_objects_v2", **parameters)
            for entry in answer.get("Contents", []):
                if entry["Key"] > upper:
                    return
                period = entry["Key"].removeprefix(prefix).removesuffix(".json")
                yield StoredObject(entry["Key"], period, entry["ETag"], entry["LastModified"])
            if not answer.get("IsTruncated"):
                return
            parameters["ContinuationToken"] = answer["NextContinuationToken"]

    def rows(self, stored: StoredObject) -> AggregateBook | None:
        """The rows of a listed object, as they are now."""
        return self._read(stored.key, AggregateBook)[0]

    def replace_file(
        self,
        granularity: AnalyticsGranularity,
        merchant_id: str,
        month: str,
        compute: Callable[[AnalyticsGranularity], bytes],
    ) -> str:
        """Replace a month's Parquet file by what `compute` makes of its rows, and return the key.

        As with `_replace` the version is read first, the rows second, so an older file never replaces a newer one.
        """
        key = f"{PREFIX}/parquet/{granularity}/merchant={merchant_id}/month={month}/rows.parquet"
        for attempt in range(REPLACE_ATTEMPTS):
            answer = self._cloud.call("s3", "list_objects_v2", Bucket=self._cloud.bucket, Prefix=key, MaxKeys=1)
            etag = next((entry["ETag"] for entry in answer.get("Contents", [])), None)
            if self._put(key, compute(granularity), etag, "application/vnd.apache.parquet"):
                return key
            pause(attempt)
        raise _outrun(key)

    def _read(self, key: str, model: type[AnyBook]) -> tuple[AnyBook | None, str | None]:
        try:
            answer = self._cloud.call("s3", "get_object", Bucket=self._cloud.bucket, Key=key)
        except NotFound:
            return None, None
        return model.model_validate_json(answer["Body"].read()), answer["ETag"]

    def _replace(self, key: str, model: type[AnyBook], compute: Callable[[AnyBook | None], AnyBook]) -> None:
        """Replace the object by what `compute` makes of it, if that is anything else.

        The version is read first, the sources within `compute` second, and the write holds only while the
        version stands: whoever read older sources loses and computes again.
        """
        for attempt in range(REPLACE_ATTEMPTS):
            current, etag = self._read(key, model)
            revision = current.revision if current else 0
            computed = compute(current).model_copy(update={"revision": revision})
            if computed == current:
                return
            content = computed.model_copy(update={"revision": revision + 1}).model_dump_json()
            if self._put(key, content.encode(), etag, "application/json"):
                return
            pause(attempt)
        raise _outrun(key)

    def _put(self, key: str, content: bytes, over: str | None, content_type: str) -> bool:
        """Store the object over this version, or where there is none; say whether that still held."""
        condition = {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        bucket = self._cloud.bucket
        try:
            self._cloud.call(
                "s3", "put_object", Bucket=bucket, Key=key, Body=content, ContentType=content_type, **condition
            )
        except ConditionFailed:
            return False
        return True


def _outrun(key: str) -> Unavailable:
    return Unavailable(f"{key} was replaced by others {REPLACE_ATTEMPTS} times in a row; try again in a moment.")


def _state_key(merchant_id: str, day: date) -> str:
    return f"{PREFIX}/state/merchant={merchant_id}/day={day}.json"


def _rows_key(granularity: AnalyticsGranularity, merchant_id: str, period: str) -> str:
    label = "month" if granularity == "daily" else "day"
    return f"{PREFIX}/{granularity}/merchant={merchant_id}/{label}={period}.json"
