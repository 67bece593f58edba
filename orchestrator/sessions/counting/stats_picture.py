"""Draw the numbers of `stats` as one SVG file: line charts above each other, a line per project.

The file is complete in itself, without a script or a reference to another file, and the same
numbers always give the same bytes.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

_SVG: Final = "http://www.w3.org/2000/svg"
_WIDTH: Final = 900
_HEIGHT: Final = 300
_MARGIN: Final = 20
_LINE: Final = 22
_HEADING: Final = 26
_COLORS: Final = (
    *("#1b6ca8", "#c8501e", "#2f8f4e", "#8a4fa3"),
    *("#b58900", "#0f8b8d", "#c02942", "#5b5b5b"),
)
"""Distinct also for people who do not see red and green."""
MOST_LINES: Final = len(_COLORS)
_MOST_LEVEL_LABELS: Final = 10
_MOST_LABELS: Final = 53
_MOST_TICKS: Final = 6
_NO_NUMBERS: Final = "no numbers"
_LONGEST_OF_FOUR: Final = 26
"""Characters of labels below a chart, four of which fit beside each other."""
_FONT: Final = "DejaVu Sans, Helvetica, Arial, sans-serif"


@dataclass(frozen=True)
class Line:
    """The values of one project, week by week."""

    name: str
    values: tuple[float | None, ...]
    color: int = 0
    """The number of its colour, from 0 to `MOST_LINES` - 1: the same in all charts."""

    @property
    def has_values(self) -> bool:
        """Whether there is anything to draw."""
        return any(value is not None for value in self.values)

    @property
    def label(self) -> str:
        """What stands below the chart."""
        return _clean_text(self.name if self.has_values else f"{self.name}: {_NO_NUMBERS}")


@dataclass(frozen=True)
class Chart:
    """One chart. A week without a value is a gap in the line."""

    title: str
    weeks: tuple[str, ...]
    lines: tuple[Line, ...]
    is_share: bool = False
    """Whether the values are shares of 1, to be shown in percent."""


def draw_picture(title: str, notes: Sequence[str], charts: Sequence[Chart]) -> bytes:
    """Draw all charts in one picture.

    Args:
        title: what the picture shows.
        notes: lines below the title.
        charts: from top to bottom.

    Returns:
        an SVG file.
    """
    ElementTree.register_namespace("", _SVG)
    top = 2 * _MARGIN + _HEADING + _LINE * len(notes)
    height = top + len(charts) * (_HEIGHT + _MARGIN)
    root = ElementTree.Element(
        f"{{{_SVG}}}svg",
        {"viewBox": f"0 0 {_WIDTH} {height}", "width": str(_WIDTH), "height": str(height)},
    )
    ElementTree.SubElement(root, f"{{{_SVG}}}title").text = _clean_text(title)
    frame = {"width": str(_WIDTH), "height": str(height), "fill": "#ffffff"}
    ElementTree.SubElement(root, f"{{{_SVG}}}rect", frame)
    _add_text(root, _MARGIN + _HEADING - 6, title, 20)
    for number, note in enumerate(notes, 1):
        _add_text(root, _MARGIN + _HEADING + number * _LINE - 4, note, 13)
    for number, chart in enumerate(charts):
        drawn = _draw_chart(chart, f"chart-{number}")
        drawn.attrib |= {"x": "0", "y": str(top + number * (_HEIGHT + _MARGIN))}
        drawn.attrib |= {"width": str(_WIDTH), "height": str(_HEIGHT)}
        root.append(drawn)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add_text(root: ElementTree.Element, y: int, text: str, size: int) -> None:
    style = {"x": str(_MARGIN), "y": str(y), "font-family": _FONT, "font-size": str(size)}
    ElementTree.SubElement(root, f"{{{_SVG}}}text", style).text = _clean_text(text)


def _import_pygal() -> Any:  # noqa: ANN401 -- a module without types
    """Import the library, without the finder for its plugins that it adds to all later imports.

    The finder is of a kind that Python 3.11 warns of at each import that comes to it.
    """
    import pygal  # type: ignore[import-untyped]

    # Not that of `importlib_metadata`, which replaces the one of Python: versions are read by it.
    others = [each for each in sys.meta_path if type(each).__module__ != pygal.__name__]
    sys.meta_path[:] = others
    return pygal


def _draw_chart(chart: Chart, name: str) -> ElementTree.Element:
    pygal = _import_pygal()
    from pygal.style import Style  # type: ignore[import-untyped]

    style = Style(
        background="#ffffff",
        guide_stroke_color="#dddddd",
        major_guide_stroke_color="#bbbbbb",
        guide_stroke_dasharray="",
        major_guide_stroke_dasharray="",
        stroke_width="2",
        stroke_opacity="1",
        opacity="1",
        plot_background="#ffffff",
        colors=tuple(_COLORS[line.color % MOST_LINES] for line in chart.lines) or _COLORS,
        font_family=_FONT,
        title_font_size=17,
        label_font_size=12,
        major_label_font_size=12,
        legend_font_size=13,
        no_data_font_size=14,
    )
    drawn = pygal.Line(
        style=style,
        width=_WIDTH,
        height=_HEIGHT,
        js=(),
        explicit_size=False,
        legend_at_bottom=True,
        legend_at_bottom_columns=_count_columns(chart),
        show_legend=bool(chart.lines),
        truncate_legend=-1,
        truncate_label=-1,
        allow_interruptions=True,
        dots_size=3.5,
        show_y_guides=True,
        max_scale=_MOST_TICKS,
        include_x_axis=True,
        range=_find_range(chart),
        value_formatter=_choose_format(chart),
        no_data_text=_NO_NUMBERS,
    )
    drawn.uuid = name  # otherwise it is a new one each time
    drawn.title = _clean_text(chart.title)
    if chart.is_share:
        drawn.y_labels = [0, 0.25, 0.5, 0.75, 1]
    elif ticks := _list_whole_ticks(chart):
        drawn.y_labels = ticks
    drawn.x_labels = [_clean_text(week) for week in chart.weeks]
    if len(chart.weeks) > _MOST_LEVEL_LABELS:
        drawn.x_label_rotation, drawn.spacing = 90, 20
    if len(chart.weeks) > _MOST_LABELS:
        drawn.x_labels_major_every = -(-len(chart.weeks) // _MOST_LABELS)
        drawn.show_minor_x_labels = False
    for line in chart.lines:
        drawn.add(line.label, list(line.values))
    return _strip_scripts(drawn.render(is_unicode=False))


def _count_columns(chart: Chart) -> int:
    is_long = any(len(line.label) > _LONGEST_OF_FOUR for line in chart.lines)
    return min(3 if is_long else 4, max(1, len(chart.lines)))


def _list_whole_ticks(chart: Chart) -> list[int]:
    """Return the marks of the vertical axis where all values are whole; nothing where not."""
    values = [value for line in chart.lines for value in line.values if value is not None]
    if not values or any(value != round(value) for value in values):
        return []
    most = round(max([1, *values]))
    step = -(-most // _MOST_TICKS)
    return list(range(0, most + step, step))


def _find_range(chart: Chart) -> tuple[float, float]:
    """Return the range of the vertical axis: from 0, so that no difference looks larger."""
    if chart.is_share:
        return (0, 1)
    values = [value for line in chart.lines for value in line.values if value is not None]
    return (0, max([1, *values, *_list_whole_ticks(chart)]))


def _choose_format(chart: Chart) -> Callable[[Any], str]:
    if chart.is_share:
        return lambda value: f"{100 * value:.0f}%"
    return lambda value: f"{value:g}" if value == round(value, 2) else f"{value:.2f}"


def _strip_scripts(text: bytes) -> ElementTree.Element:
    """Return a chart without the script that pygal adds, and without comments."""
    root = ElementTree.fromstring(text)  # noqa: S314 -- pygal has just written it
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}script":
                parent.remove(child)
    return root


def _clean_text(text: str) -> str:
    """Return a text without what XML has no place for."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
