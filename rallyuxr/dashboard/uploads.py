"""An uploaded file is read once, not at every rerun of its page."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import streamlit as st

from rallyuxr.ingest import ReadOptions, Upload, inspect_results
from rallyuxr.models import ExperimentPlan

MOST_READINGS = 4
"""Of all sessions together; a reading can be as large as its file."""
KEPT_SECONDS = 3600
QUARTER_SECONDS = 900
PLANNED = set(ExperimentPlan.model_fields) - {"name", "description"}
"""What of an experiment a reading depends on at most; what is only planned and what is stored alike have it."""


def read(content: bytes, options: ReadOptions) -> Upload:
    """The file as `inspect_results` reads it; the same content under the same options is not read again.

    The experiment's name and description are no part of the reading. Its clock goes on by quarters of an hour:
    the hours and days of every time zone begin with one, so the same ones are in the future as by the exact time.
    """
    options = replace(options, now=options.now and quarter(options.now))
    return _read(sha256(content).hexdigest(), _wording(options), content, options)


def quarter(moment: datetime) -> datetime:
    """The quarter of an hour that has begun.

    >>> quarter(datetime(2025, 1, 15, 14, 44, 59, tzinfo=UTC)).isoformat()
    '2025-01-15T14:30:00+00:00'
    """
    return datetime.fromtimestamp(moment.timestamp() // QUARTER_SECONDS * QUARTER_SECONDS, UTC)


def _wording(options: ReadOptions) -> str:
    """Everything that the reading depends on beside the content."""
    plan = options.experiment
    return f"{replace(options, experiment=None)} {plan and plan.model_dump_json(include=PLANNED)}"


@st.cache_resource(max_entries=MOST_READINGS, ttl=KEPT_SECONDS, show_spinner="Reading the file")
def _read(digest: str, wording: str, _content: bytes, _options: ReadOptions) -> Upload:  # noqa: ARG001
    return inspect_results(_content, _options)
