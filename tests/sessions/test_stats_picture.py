"""The picture: complete in itself, always the same, and with every value in it."""

import re
import subprocess
import sys
from datetime import UTC
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting.metrics import TaskSource, Week, count_weeks
from orchestrator.sessions.counting.stats_charts import build_charts, list_weeks, name_projects
from orchestrator.sessions.counting.stats_picture import Chart, Line, draw_picture
from tests.sessions.test_metrics import measure

WEEKS = ("2026-W01", "2026-W02*", "2026-W03")
CHARTS = (
    Chart("Red runs", WEEKS, (Line("shop", (1, None, 3)), Line("<b>&\"'\x1b", (0, 2.5, 1), 1))),
    Chart("First green", WEEKS, (Line("shop", (0.5, 0.75, 1)),), is_share=True),
)


def list_texts(picture: bytes) -> list[str]:
    root = ElementTree.fromstring(picture)  # noqa: S314 -- it was just drawn
    return ["".join(each.itertext()) for each in root.iter() if each.tag.endswith("}text")]


def test_it_refers_to_nothing_outside_and_runs_nothing() -> None:
    picture = draw_picture("T", ["N"], CHARTS).decode()
    assert set(re.findall(r"\w+://[^\"'\s<>]+", picture)) == {"http://www.w3.org/2000/svg"}
    for word in ("<script", "href", "@import", "url(", "javascript", "onload", "<!--", "<?xml-"):
        assert word not in picture


def test_drawing_leaves_the_imports_of_others_alone() -> None:
    script = (
        "import sys\n"
        "from tests.sessions.test_stats_picture import CHARTS, draw_picture\n"
        "draw_picture('T', ['N'], CHARTS)\n"
        "assert [type(each).__module__ for each in sys.meta_path].count('pygal') == 0\n"
        "assert 'pygal' in sys.modules\n"
        "from importlib.metadata import version\nassert version('pygal')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_titles_weeks_and_names_stand_in_it() -> None:
    texts = list_texts(draw_picture("How it went", ["a note"], CHARTS))
    expected = {"How it went", "a note", "Red runs", "First green", *WEEKS, "shop", "100%"}
    assert expected <= set(texts)
    assert "<b>&\"'\N{REPLACEMENT CHARACTER}" in texts


def test_another_process_draws_the_same_bytes() -> None:
    script = (
        "import sys\nfrom tests.sessions.test_stats_picture import CHARTS, draw_picture\n"
        "sys.stdout.buffer.write(draw_picture('T', ['N'], CHARTS))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == draw_picture("T", ["N"], CHARTS)


def test_no_charts_and_no_values_are_no_error() -> None:
    assert "T" in list_texts(draw_picture("T", [], []))
    empty = Chart("Nothing", WEEKS, (Line("shop", (None, None, None)),))
    assert "no numbers" in list_texts(draw_picture("T", [], [empty]))


@given(st.integers(2000, 2030), st.integers(1, 52), st.integers(0, 60))
def test_no_week_is_left_out(year: int, number: int, more: int) -> None:
    from datetime import date, timedelta

    first = date.fromisocalendar(year, number, 1)
    days = [first + timedelta(weeks=each) for each in range(more + 1)]
    every = [Week(*day.isocalendar()[:2]) for day in days]
    assert list_weeks([every[-1], every[0]]) == every


@given(st.lists(st.text("ab/", max_size=60).map("/{}".format), max_size=8, unique=True))
def test_names_are_short_and_never_the_same(projects: list[str]) -> None:
    names = name_projects(projects, str)
    assert list(names) == projects
    assert len(set(names.values())) == len(projects)
    assert all(len(each) <= 26 for each in names.values())


def test_projects_of_one_name_are_told_apart_by_their_folders() -> None:
    long = "/w/a-really-long-name-of-a-project-for-customers"
    names = name_projects(["/a/shop", "/b/shop", "/b/web", long, "/x/b/shop"], str)
    assert list(names.values()) == [
        *("a/shop", "b/shop", "web", "a-really-lo\N{HORIZONTAL ELLIPSIS}-customers", "b/shop (2)"),
    ]


def list_ticks(chart: Chart) -> list[str]:
    root = ElementTree.fromstring(draw_picture("T", [], [chart]))  # noqa: S314 -- just drawn
    axis = next(each for each in root.iter() if each.get("class") == "axis y always_show")
    return [each.text or "" for each in axis.iter() if each.tag.endswith("}text")]


def test_counts_have_whole_marks() -> None:
    for values, expected in (
        ((0, 1, None), ["0", "1"]),
        ((1, 2, 3), ["0", "1", "2", "3"]),
        ((20, 1, 1), ["0", "4", "8", "12", "16", "20"]),
        ((0, 0, 0), ["0", "1"]),
    ):
        assert list_ticks(Chart("Red", WEEKS, (Line("shop", values),))) == expected
    assert any("." in each for each in list_ticks(Chart("Red", WEEKS, (Line("s", (0.5, 1, 1)),))))


def test_a_project_without_values_says_so() -> None:
    tasks = [
        measure(project="/shop", red_runs=1, resolved=True),
        measure(project="/web"),
        measure(project="/run", source=TaskSource.RUNS),
    ]
    weeks = [each for each in count_weeks(tasks, UTC) if each.source is TaskSource.PEOPLE]
    charts = build_charts(weeks, {"/shop": "shop", "/web": "web", "/run": "run"})
    texts = list_texts(draw_picture("T", [], charts[:1]))
    assert {"shop", "web: no numbers"} <= set(texts)
    assert not {"run", "run: no numbers"} & set(texts)
