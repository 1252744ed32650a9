"""Small parts that every page is made of."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from rallyuxr.dashboard.figures import FONT
from rallyuxr.dashboard.formatting import plain, said, told_apart
from rallyuxr.errors import Conflict, Forbidden, InvalidInput, NotConfigured, NotFound, RallyError, Unavailable
from rallyuxr.models import Caution

IMAGE_FORMAT = "image format"
STYLE = Path(__file__).with_name("workbench.css")
INK = {"light": "#46505e", "dark": "#c3cad4"}
"""What charts are written in; Streamlit's own grey is too pale to read on white."""
WAYS_ON: tuple[tuple[type[RallyError], str], ...] = (
    (Unavailable, "Nothing was lost. Wait a moment, then try again."),
    (Conflict, "Reload to see the newest state, then decide again."),
    (Forbidden, "Ask an administrator, or sign in with another account."),
    (NotFound, "Check the address, or start from the overview."),
    (NotConfigured, "See the README, section Start."),
    (InvalidInput, "Correct it and try again."),
)


def failure(error: RallyError, *, place: str = "page") -> None:
    """A failure as a sentence and a way on; `place` tells the same failure of two parts of a page apart."""
    way_on = next((words for kind, words in WAYS_ON if isinstance(error, kind)), "Try again.")
    st.error(f"{plain(error.message)}\n\n{way_on}", icon=":material/error:")
    st.button("Try again", icon=":material/refresh:", key=f"retry {place} {error.message}")


@contextmanager
def explained(place: str = "page") -> Iterator[None]:
    """Show a failure inside the block as a sentence; whatever else goes wrong is a bug and stays one."""
    try:
        yield
    except RallyError as error:
        failure(error, place=place)


def empty(title: str, text: str, *, icon: str = ":material/inbox:") -> None:
    """What a list says when there is nothing in it, and what to do about it."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(f"#### {icon} {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")


def simulated_badge() -> None:
    """The label of everything that the simulator made."""
    st.badge("SIMULATED", icon=":material/science:", color="violet", help="The simulator made this data.")


def cautions(items: Iterable[Caution]) -> None:
    """What the reader must know, each sentence once."""
    for message in dict.fromkeys(item.message for item in items):
        st.markdown(f":material/warning: {plain(said(message))}")


def choose_by_address(
    label: str, names: Mapping[str, str], *, parameter: str, first: bool = False, placeholder: str | None = None
) -> str | None:
    """A list of names by id whose choice stands in the address, `?parameter=id`, and follows it.

    An id in the address that is not among the names is a choice too. Without one, the first is chosen if `first`,
    else none.
    """
    names, linked = told_apart(names), st.query_params.get(parameter)
    options = list(names) if linked is None or linked in names or first else [linked, *names]
    known = options.index(linked) if linked in options else None
    key = f"{parameter} chosen, from {linked}"
    chosen: str | None = st.selectbox(
        label,
        options,
        index=0 if known is None and first else known,
        format_func=lambda one: names.get(one, one),
        placeholder=placeholder,
        key=key,
        on_change=_into_address,
        args=(parameter, key),
    )
    if chosen is not None and chosen != linked:
        st.query_params[parameter] = chosen
    return chosen


def _into_address(parameter: str, key: str) -> None:
    """Before the page runs again, so that the list it draws is the one that the next choice is made from."""
    if st.session_state[key] is not None:
        st.query_params[parameter] = st.session_state[key]


def chart(figure: go.Figure, *, name: str, alt: str) -> None:
    """A figure with its description for a screen reader and a camera that saves it as `name`."""
    settings: dict[str, Any] = {
        "displaylogo": False,
        "responsive": True,
        "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        "toImageButtonOptions": {"format": image_format(), "filename": name, "scale": 2},
    }
    st.plotly_chart(_legible(figure), key=f"chart {name}", config=settings, alt=alt)


def _legible(figure: go.Figure) -> go.Figure:
    """Letters that saved pictures have too, dark enough for their size on either ground."""
    figure.update_layout(font_family=FONT)
    if ink := INK.get(st.context.theme.type or ""):
        figure.update_layout(font_color=ink)
        for axis in (figure.update_xaxes, figure.update_yaxes):
            axis(tickfont_color=ink, title_font_color=ink)
    return figure


def choose_image_format() -> None:
    """What every chart's camera saves, on all pages."""
    st.segmented_control(
        "Charts save as",
        ["PNG", "SVG"],
        default="PNG",
        required=True,
        key=IMAGE_FORMAT,
        help="By the camera in a chart's corner. PNG for slides, SVG to edit or to print large.",
    )


def image_format() -> str:
    """What a chart's camera saves: png, or svg once the reader has chosen it."""
    return str(st.session_state.get(IMAGE_FORMAT, "PNG")).lower()


def download(label: str, make: Callable[[], bytes | str], *, file_name: str, mime: str) -> None:
    """A file that is made when it is asked for, not before."""
    st.download_button(
        label,
        data=make,
        file_name=file_name,
        mime=mime,
        on_click="ignore",
        icon=":material/download:",
        key=f"download {file_name}",
    )
