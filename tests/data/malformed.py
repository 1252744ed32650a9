"""Uploads that must be refused, each with the problem that names what is wrong and what to do."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

HEADER = "timestamp,metric,arm,value,sample_size"
ROWS = (
    "2025-01-14T23:00:00Z,conversion_rate,treatment,0.031,1200",
    "2025-01-14T23:00:00Z,conversion_rate,control,0.030,1210",
    "2025-01-15T00:00:00Z,conversion_rate,treatment,0.034,1190",
    "2025-01-15T00:00:00Z,conversion_rate,control,0.030,1205",
)


def csv(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *rows, "")).encode()


def well_formed() -> bytes:
    return csv(*ROWS)


def with_row(row: str) -> Callable[[], bytes]:
    """The good rows, then `row` as row 6."""
    return lambda: csv(*ROWS, row)


def changed(position: int, **cells: str) -> Callable[[], bytes]:
    """The good rows with some cells of one of them changed; row `position + 2` of the file."""

    def build() -> bytes:
        names = HEADER.split(",")
        values = dict(zip(names, ROWS[position].split(","), strict=True)) | cells
        rows = [*ROWS]
        rows[position] = ",".join(values[name] for name in names)
        return csv(*rows)

    return build


def units(*rows: str) -> Callable[[], bytes]:
    return lambda: csv(*rows, header="unit,period,treated,outcome")


def every_metric(count: int) -> bytes:
    names = [f"metric_{chr(97 + position)}" for position in range(count)]
    return csv(*(row.replace("conversion_rate", name) for name in names for row in ROWS))


def contract_json(**changes: Any) -> Callable[[], bytes]:
    def build() -> bytes:
        point = {
            "timestamp": "2025-01-15T00:00:00Z",
            "treatmentValue": 0.031,
            "controlValue": 0.030,
            "treatmentSampleSize": 1200,
            "controlSampleSize": 1210,
        }
        return json.dumps({"metrics": {"conversion_rate": {"timeSeries": [point | changes]}}}).encode()

    return build


@dataclass(frozen=True)
class Malformed:
    """One upload and the problem it must be met with; `options` are those of `ReadOptions`."""

    build: Callable[[], Any]
    message: str
    remedy: str
    row: int | None = None
    column: str | None = None
    value: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


MALFORMED: dict[str, Malformed] = {
    "empty file": Malformed(lambda: b"", "The file is empty.", "at least one row"),
    "blank lines only": Malformed(lambda: b"\n\n  \n", "The file is empty.", "at least one row"),
    "header only": Malformed(csv, "There is a header but no row of data.", "Add the rows"),
    "missing column": Malformed(
        lambda: csv(*(row.rsplit(",", 1)[0] for row in ROWS), header="timestamp,metric,arm,value"),
        "No column for sample_size (read as the long form).",
        "sample_size = your column",
        column="sample_size",
    ),
    "missing column of the wide form": Malformed(
        lambda: csv(
            "2025-01-15,0.1,10,12", header="timestamp,treatmentValue,treatmentSampleSize,controlSampleSize"
        ),
        "No column for control_value (read as the wide form).",
        "control_value = your column",
        column="control_value",
        options={"metric": "ctr"},
    ),
    "columns of another kind of file": Malformed(
        lambda: csv("1,2", header="foo,bar"),
        "No column for timestamp (read as the long form).",
        "The file's columns are: foo, bar.",
        column="timestamp",
        options={"metric": "ctr"},
    ),
    "mapping to an absent column": Malformed(
        well_formed,
        "The mapping names a column that the file does not have.",
        "The file's columns are: timestamp,",
        column="Besucher",
        options={"mapping": {"sample_size": "Besucher"}},
    ),
    "duplicate columns": Malformed(
        lambda: csv(*(f"{row},1" for row in ROWS), header=f"{HEADER},value"),
        "2 columns are called 'value'.",
        "a name of its own",
        column="value",
    ),
    "no metric named": Malformed(
        lambda: csv(*(row.replace("conversion_rate,", "") for row in ROWS), header=HEADER.replace("metric,", "")),
        "No column for metric, so it is not known what was measured.",
        "Add a column metric",
        column="metric",
    ),
    "duplicated hour": Malformed(
        with_row("2025-01-15T00:00:00Z,conversion_rate,control,0.030,1205"),
        "conversion_rate already has a control value for this time, in row 5.",
        "Keep one row",
        row=6,
        value="2025-01-15T00:00:00Z",
    ),
    "duplicated hour in another offset": Malformed(
        with_row("2025-01-15T01:00:00+01:00,conversion_rate,control,0.030,1205"),
        "conversion_rate already has a control value for this time, in row 5.",
        "Keep one row",
        row=6,
    ),
    "text in a number": Malformed(
        changed(1, value="about 3"),
        "The cell is not a number.",
        "such as 0.031",
        row=3,
        column="value",
        value="about 3",
    ),
    "text in a sample size": Malformed(
        changed(1, sample_size="many"), "The cell is not a number.", "such as 0.031", row=3, column="sample_size"
    ),
    "digits with underscores": Malformed(
        changed(1, sample_size="1_200"), "The cell is not a number.", "such as 0.031", row=3, column="sample_size"
    ),
    "NaN": Malformed(
        changed(2, value="NaN"),
        "The value is missing, though participants are given.",
        "a missing hour is not a zero",
        row=4,
        column="value",
    ),
    "empty value": Malformed(
        changed(2, value=""),
        "The value is missing, though participants are given.",
        "a missing hour is not a zero",
        row=4,
        column="value",
    ),
    "infinity": Malformed(
        changed(2, value="inf"),
        "Infinity is not a measurement.",
        "leave the row out",
        row=4,
        column="value",
        value="inf",
    ),
    "overflow to infinity": Malformed(
        changed(2, value="1e999"), "Infinity is not a measurement.", "Correct the value", row=4, column="value"
    ),
    "negative sample size": Malformed(
        changed(0, sample_size="-5"),
        "A sample size cannot be negative.",
        "number of participants",
        row=2,
        column="sample_size",
        value="-5",
    ),
    "zero sample size with a value": Malformed(
        changed(0, sample_size="0"),
        "There is a value, but nobody it was measured on.",
        "leave the value empty",
        row=2,
        column="sample_size",
        value="0",
    ),
    "missing sample size": Malformed(
        changed(0, sample_size=""),
        "The sample size is missing.",
        "hours are weighted by it",
        row=2,
        column="sample_size",
    ),
    "decimal comma": Malformed(
        lambda: csv(*ROWS).replace(b",", b";").replace(b"0.031", b"0,031"),
        "A comma stands where a decimal point is needed.",
        "Write 0.031 for 0,031",
        row=2,
        column="value",
        value="0,031",
    ),
    "thousands separators": Malformed(
        changed(3, sample_size='"1,205"'),
        "The number has separators between its digits.",
        "Write 1234.5 for 1,234.5",
        row=5,
        column="sample_size",
        value="1,205",
    ),
    "percent sign": Malformed(
        changed(3, value="3.0%"), "The number has a percent sign.", "0.032 for 3.2%", row=5, column="value"
    ),
    "currency sign": Malformed(
        changed(3, value="$3.00"),
        "The number has a currency sign.",
        "Write the amount alone",
        row=5,
        column="value",
    ),
    "naive times": Malformed(
        lambda: csv(*ROWS).replace(b"Z,", b","),
        "Without a time zone: 4 of 4 times.",
        "say which time zone the file is in",
        row=2,
        column="timestamp",
        value="2025-01-14T23:00:00",
    ),
    "mixed time zones": Malformed(
        changed(2, timestamp="2025-01-15T00:00:00"),
        "Without a time zone: 1 of 4 times; the others have one.",
        "End every time with Z",
        row=4,
        column="timestamp",
    ),
    "an hour that the clock change skips": Malformed(
        lambda: csv("2025-03-30T01:00:00,ctr,control,0.1,10", "2025-03-30T02:30:00,ctr,treatment,0.1,10"),
        "The clocks change: this time happens twice or never in Europe/Berlin.",
        "with their offset",
        row=3,
        value="2025-03-30T02:30:00",
        options={"time_zone": "Europe/Berlin"},
    ),
    "an hour that the clock shows twice": Malformed(
        lambda: csv("2025-10-26T02:00:00,ctr,control,0.1,10", "2025-10-26T05:00:00,ctr,treatment,0.1,10"),
        "The clocks change: this time happens twice or never in Europe/Berlin.",
        "with their offset",
        row=2,
        column="timestamp",
        options={"time_zone": "Europe/Berlin"},
    ),
    "month before day or the reverse": Malformed(
        changed(1, timestamp="01/02/2025 14:00"),
        "The cell is not a time.",
        "Write ISO 8601",
        row=3,
        column="timestamp",
        value="01/02/2025 14:00",
    ),
    "a day that does not exist": Malformed(
        changed(1, timestamp="2025-02-30"), "The cell is not a time.", "Write ISO 8601", row=3, column="timestamp"
    ),
    "future timestamps": Malformed(
        well_formed,
        "conversion_rate has data from the future: 1 of 2 periods, the last 2025-01-15T00:00:00Z; "
        "it is 2025-01-14T23:30:00Z now.",
        "Check the dates",
        options={"now": datetime(2025, 1, 14, 23, 30, tzinfo=UTC)},
    ),
    "weekly values": Malformed(
        lambda: csv(
            *(f"2025-01-{day:02},ctr,{arm},0.1,10" for day in (1, 8, 15, 22) for arm in ("treatment", "control"))
        ),
        "The rows are 7 days apart.",
        "hourly or daily values",
    ),
    "one arm only": Malformed(
        lambda: csv(*ROWS[1::2]),
        "conversion_rate has no treatment values, so there is nothing to compare.",
        "Upload both arms",
        value="conversion_rate",
    ),
    "unknown arm label": Malformed(
        changed(1, arm="blue"),
        "This names neither the treated nor the control arm.",
        "Write treatment or control",
        row=3,
        column="arm",
        value="blue",
    ),
    "unknown metric": Malformed(
        with_row("2025-01-15T00:00:00Z,bounce_rate,control,0.030,1205"),
        "bounce_rate is not among the experiment's metrics.",
        "rename it to one of conversion_rate",
        row=6,
        column="metric",
        value="bounce_rate",
        options={"experiment": "2025-01-15"},
    ),
    "metric id with digits": Malformed(
        lambda: csv(*ROWS).replace(b"conversion_rate", b"ctr2"),
        "This is not a metric id.",
        "lower-case letters and underscores",
        row=2,
        column="metric",
        value="ctr2",
    ),
    "a planned metric without rows": Malformed(
        lambda: csv(*ROWS).replace(b"conversion_rate", b"bounce_rate"),
        "The file has no usable rows of conversion_rate, which the experiment watches.",
        "Add its rows",
        value="conversion_rate",
        options={"experiment": "2025-01-15"},
    ),
    "too many metrics": Malformed(
        lambda: every_metric(11),
        "The file holds 11 metrics; an experiment has at most 10.",
        "the decision rests on",
        column="metric",
    ),
    "no overlap with the experiment": Malformed(
        well_formed,
        "conversion_rate has no data between the experiment's start 2026-01-15T00:00:00Z and end "
        "2026-01-29T00:00:00Z; it covers 2025-01-14T23:00:00Z to 2025-01-15T00:00:00Z.",
        "correct its dates",
        value="conversion_rate",
        options={"experiment": "2026-01-15"},
    ),
    "proportion above 1": Malformed(
        changed(2, value="3.4"),
        "A proportion lies between 0 and 1.",
        "0.032 for 3.2 %",
        row=4,
        column="value",
        value="3.4",
        options={"value_types": {"conversion_rate": "proportion"}},
    ),
    "denominators of one arm only": Malformed(
        lambda: csv(
            "2025-01-15,0.1,0.2,10,12,5",
            header="timestamp,treatmentValue,controlValue,treatmentSampleSize,controlSampleSize,controlDenominator",
        ),
        "There is a control_denominator, but none of the other arm.",
        "of both arms, or of neither",
        options={"metric": "ctr"},
    ),
    "ratio without its denominator": Malformed(
        lambda: csv(
            *(f"{row},{n}" for row, n in zip(ROWS, ("10", "", "12", "9"), strict=True)),
            header=f"{HEADER},denominator",
        ),
        "A ratio needs a denominator above zero.",
        "the total that the value is per",
        row=3,
        column="denominator",
    ),
    "formula as a metric": Malformed(
        with_row("2025-01-15T00:00:00Z,=cmd|' /C calc'!A0,control,0.030,1205"),
        "The cell holds a formula, not a metric id.",
        "plain text",
        row=6,
        column="metric",
        value="=cmd|' /C calc'!A0",
    ),
    "formula as a number": Malformed(
        changed(0, value="=1+1"),
        "The cell holds a formula, not its result.",
        "Paste the values",
        row=2,
        column="value",
    ),
    "formula as a unit": Malformed(
        units("@SUM(A1),2025-01-01,1,3", "b,2025-01-01,0,4"),
        "The unit's name could run as a formula in a spreadsheet.",
        "Remove the leading",
        row=2,
        column="unit",
        value="@SUM(A1)",
    ),
    "unit without a name": Malformed(
        units(",2025-01-01,1,3", "b,2025-01-01,0,4"),
        "The unit has no name.",
        "Name every unit",
        row=2,
        column="unit",
    ),
    "treated changes within a unit": Malformed(
        units("a,2025-01-01,0,3", "a,2025-01-02,1,3", "b,2025-01-01,0,4", "b,2025-01-02,0,4"),
        "a is treated in some rows and control in others.",
        "not treated × after",
        row=2,
        column="treated",
        value="a",
    ),
    "duplicated unit and period": Malformed(
        units("a,2025-01-01,1,3", "a,2025-01-01,1,4", "b,2025-01-01,0,4"),
        "a already has a value for this period, in row 2.",
        "one row for each unit",
        row=3,
        value="2025-01-01",
    ),
    "units of one arm": Malformed(
        units("a,2025-01-01,1,3", "b,2025-01-01,1,4"),
        "outcome has no control units, so there is nothing to compare.",
        "Upload units of both arms",
        value="outcome",
    ),
    "periods that are no dates": Malformed(
        units("a,1,1,3", "b,2,0,4"), "The cell is not a time.", "Write ISO 8601", row=2, column="period", value="1"
    ),
    "ragged row": Malformed(
        with_row("2025-01-15T01:00:00Z,conversion_rate,control,0.030"),
        "The row has 4 cells, the header has 5.",
        "Give every row 5 cells",
        row=6,
    ),
    "unclosed quotation mark": Malformed(
        with_row('2025-01-15T01:00:00Z,"conversion_rate,control,0.030,12'),
        "The line cannot be split into cells: unexpected end of data.",
        "Close every quotation mark",
        row=6,
    ),
    "NUL bytes": Malformed(
        with_row("2025-01-15T01:00:00Z,conv\0ersion_rate,control,0.030,12"),
        "The file contains a NUL byte: it is binary, damaged, or UTF-16 without a byte-order mark.",
        "CSV in UTF-8",
        row=6,
    ),
    "wrong encoding": Malformed(
        lambda: csv(*ROWS) + "2025-01-15T01:00:00Z,Рост,control,0.030,12\n".encode("cp866"),
        "Byte 0x90 belongs to no encoding that is read here: UTF-8, UTF-16 or Latin-1.",
        "CSV in UTF-8",
        row=6,
    ),
    "UTF-16 cut in half": Malformed(
        lambda: csv(*ROWS).decode().encode("utf-16")[:-1],
        "The file begins like UTF-16 text but is not: truncated data.",
        "CSV in UTF-8",
    ),
    "Excel workbook": Malformed(
        lambda: b"PK\x03\x04" + bytes(40),
        "The file is an Excel workbook or a ZIP archive, not CSV, Parquet or JSON.",
        "Save the sheet as CSV UTF-8",
    ),
    "compressed file": Malformed(
        lambda: b"\x1f\x8b\x08" + bytes(40), "The file is compressed with gzip, not CSV, Parquet or JSON.", "Unpack"
    ),
    "damaged Parquet": Malformed(
        lambda: b"PAR1" + bytes(40), "The file begins like Parquet but cannot be read", "Write the file again"
    ),
    "damaged JSON": Malformed(
        lambda: b'{"metrics": ', "The file begins like JSON but cannot be read", "Write valid JSON"
    ),
    "JSON of another kind": Malformed(
        lambda: b'{"hello": 1}', "The JSON is not the contract's record of results.", '{"metrics": '
    ),
    "JSON list of numbers": Malformed(
        lambda: b"[1, 2]", "The JSON is not the contract's record of results.", '{"metrics": '
    ),
    "JSON with text in a number": Malformed(
        contract_json(controlValue="low"),
        "The cell is not a number.",
        "such as 0.031",
        row=1,
        column="controlValue",
        value="low",
    ),
    "JSON with NaN": Malformed(
        contract_json(treatmentValue=float("nan")),
        "The value is missing, though participants are given.",
        "leave the row out",
        row=1,
        column="treatmentValue",
    ),
    "100 MB": Malformed(
        lambda: HEADER.encode() + b"\n" + b"x" * (100 * 2**20),
        "The file is larger than 64 MB; nothing of it was read.",
        "Aggregate to hours or days",
    ),
    "too many rows": Malformed(
        well_formed,
        "The table has 4 rows; at most 3 are read.",
        "Aggregate to hours or days",
        options={"max_rows": 3},
    ),
}
"""`options["experiment"]` is the start of a two-week experiment on conversion_rate."""
