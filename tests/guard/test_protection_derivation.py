"""What is guarded follows from what the verdict rested on, and not from names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.guard import GuardMode, build_guard
from orchestrator.guard.protection import Protection
from orchestrator.models import Case, CaseOutcome, Raised, SuiteOutcome, SuiteReport
from tests.guard.footprints import footprint, guard_with, report
from tests.guard.projects import write

TESTS = (
    "from shop.prices import to_cents\n\n\ndef test_half():\n    assert to_cents('1.005') == 101\n"
)
PRODUCT = "def to_cents(text):\n    return int(float(text) * 100)\n"


@dataclass(frozen=True)
class Layout:
    """A project: its files, who imports whom, and what must be guarded or free."""

    files: Mapping[str, str]
    imports: Mapping[str, Sequence[str]]
    guarded: Sequence[str] = ()
    free: Sequence[str] = ()
    tests: Sequence[str] = ("tests/test_prices.py",)
    provides: Sequence[str] = ()
    data: Sequence[str] = ()
    steering: Sequence[str] = ()
    command: str = "pytest tests"
    unguarded: Sequence[str] = ()
    baseline: SuiteReport = field(default_factory=report)


PLAIN = {"shop/prices.py": PRODUCT, "tests/test_prices.py": TESTS}
USES = {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}

LAYOUTS: dict[str, Layout] = {
    "tests and product": Layout(PLAIN, USES, ["tests/test_prices.py"], ["shop/prices.py"]),
    "a helper beside the tests": Layout(
        {**PLAIN, "tests/helpers.py": "X = 1\n", "tests/data/a.json": "{}"},
        {
            "tests/test_prices.py": ["shop/prices.py", "tests/helpers.py"],
            "shop/prices.py": [],
            "tests/helpers.py": [],
        },
        ["tests/helpers.py", "tests/data/a.json"],
    ),
    "a helper that asserts, in the product's package": Layout(
        {**PLAIN, "shop/testing.py": "def check(got, wanted):\n    assert got == wanted\n"},
        {
            "tests/test_prices.py": ["shop/prices.py", "shop/testing.py"],
            "shop/prices.py": [],
            "shop/testing.py": [],
        },
        ["shop/testing.py"],
        ["shop/prices.py"],
    ),
    "fixtures in the product's package": Layout(
        {**PLAIN, "shop/fixtures.py": "import pytest\n", "tests/conftest.py": ""},
        {"tests/conftest.py": ["shop/fixtures.py"], **USES, "shop/fixtures.py": []},
        ["shop/fixtures.py", "tests/conftest.py"],
        provides=["shop/fixtures.py"],
        steering=["tests/conftest.py"],
    ),
    "a module with asserts that is tested itself": Layout(
        {
            "shop/checks.py": "def check_positive(amount, name):\n    assert amount > 0, name\n",
            "tests/test_prices.py": "import pytest\nfrom shop.checks import check_positive\n\n\n"
            "def test_half():\n    with pytest.raises(AssertionError):\n"
            "        check_positive(-1, 'x')\n",
        },
        {"tests/test_prices.py": ["shop/checks.py"], "shop/checks.py": []},
        free=["shop/checks.py"],
    ),
    "an asserting module in which a case failed": Layout(
        {**PLAIN, "shop/same.py": "def same(a, b):\n    assert a == b.value\n"},
        {
            "tests/test_prices.py": ["shop/same.py", "shop/prices.py"],
            "shop/same.py": [],
            "shop/prices.py": [],
        },
        free=["shop/same.py"],
        baseline=SuiteReport(
            SuiteOutcome.FAILED,
            1,
            (
                Case(
                    "tests/test_prices.py::test_half",
                    CaseOutcome.FAILED,
                    file="tests/test_prices.py",
                    raised=(Raised("builtins.AttributeError", "", ("@shop/same.py",)),),
                ),
            ),
        ),
    ),
    "tests beside the code": Layout(
        {"shop/prices.py": PRODUCT, "shop/test_prices.py": TESTS, "lib/money.py": "X = 1\n"},
        {
            "shop/test_prices.py": ["shop/prices.py", "lib/money.py"],
            "shop/prices.py": [],
            "lib/money.py": [],
        },
        ["shop/test_prices.py"],
        ["shop/prices.py", "lib/money.py"],
        tests=["shop/test_prices.py"],
    ),
    "tests beside the code under other names": Layout(
        {
            "shop/__init__.py": "X = 1\n",
            "shop/core.py": PRODUCT,
            "shop/test_prices.py": TESTS,
            "lib/money.py": "X = 1\n",
        },
        {
            "shop/test_prices.py": ["shop/core.py", "lib/money.py"],
            "shop/core.py": [],
            "lib/money.py": [],
        },
        ["shop/test_prices.py"],
        ["shop/core.py", "lib/money.py"],
        tests=["shop/test_prices.py"],
    ),
    "a product package called testing": Layout(
        {"testing/core.py": PRODUCT, "testing/test_core.py": TESTS},
        {"testing/test_core.py": ["testing/core.py"], "testing/core.py": []},
        ["testing/test_core.py"],
        ["testing/core.py"],
        tests=["testing/test_core.py"],
        command="pytest",
    ),
    "an application called tests": Layout(
        {"tests/models.py": PRODUCT, "tests/test_models.py": TESTS, "school/app.py": "X = 1\n"},
        {
            "tests/test_models.py": ["tests/models.py", "school/app.py"],
            "tests/models.py": [],
            "school/app.py": ["tests/models.py"],
        },
        ["tests/test_models.py"],
        ["tests/models.py", "school/app.py"],
        tests=["tests/test_models.py"],
    ),
    "a product file with the name of a test": Layout(
        {**PLAIN, "shop/test_utils.py": PRODUCT},
        {
            "tests/test_prices.py": ["shop/prices.py"],
            "shop/prices.py": ["shop/test_utils.py"],
            "shop/test_utils.py": [],
        },
        free=["shop/test_utils.py"],
    ),
    "doctests in a file that the command names": Layout(
        {**PLAIN, "shop/prices.py": f'"""Prices.\n\n>>> to_cents("1")\n100\n"""\n{PRODUCT}'},
        USES,
        ["tests/test_prices.py"],
        ["shop/prices.py"],
        tests=["tests/test_prices.py", "shop/prices.py"],
        command="pytest --doctest-modules shop/prices.py tests/ -v",
    ),
    "a file with code and tests that the command names": Layout(
        {"prices.py": f"{PRODUCT}\n\ndef test_half():\n    assert to_cents('1.005') == 101\n"},
        {"prices.py": []},
        free=["prices.py"],
        tests=["prices.py"],
        command="pytest prices.py",
    ),
    "a file of tests that the command names": Layout(
        {"shop/prices.py": PRODUCT, "checks.py": TESTS},
        {"checks.py": ["shop/prices.py"], "shop/prices.py": []},
        ["checks.py"],
        ["shop/prices.py"],
        tests=["checks.py"],
        command="pytest checks.py",
    ),
    "data that tests read, wherever it lies": Layout(
        {**PLAIN, "data/cases.json": "{}", "shop/snap/out.txt": "x", "README.md": "x"},
        USES,
        ["data/cases.json", "shop/snap/out.txt"],
        ["README.md", "shop/prices.py"],
        data=["data/cases.json", "shop/snap/out.txt", "README.md", "shop/prices.py"],
    ),
    "data that the product reads too": Layout(
        {
            **PLAIN,
            "shop/prices.py": f"RATES = open('shop/rates.json')\n{PRODUCT}",
            "shop/rates.json": "{}",
        },
        USES,
        free=["shop/rates.json"],
        data=["shop/rates.json"],
    ),
    "the project's own plugin of pytest": Layout(
        {
            **PLAIN,
            "shop/plugin.py": "def pytest_configure(config): pass\n",
            "pyproject.toml": "[project.entry-points.pytest11]\nshop = 'shop.plugin'\n",
        },
        {**USES, "shop/plugin.py": []},
        ["tests/test_prices.py"],
        ["shop/plugin.py"],
        provides=["shop/plugin.py"],
        steering=["shop/plugin.py"],
    ),
    "what the user frees": Layout(
        {**PLAIN, "tests/data/a.json": "{}"},
        USES,
        ["tests/test_prices.py"],
        ["tests/data/a.json"],
        unguarded=["tests/data/*.json"],
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_tests_and_helpers_are_guarded_and_the_code_is_free(name: str, project: Path) -> None:
    layout = LAYOUTS[name]
    write(project, layout.files)
    baseline = layout.baseline
    for case in baseline.cases:
        for raised in case.raised:
            object.__setattr__(
                raised, "files", tuple(str(project / f.lstrip("@")) for f in raised.files)
            )
    found = footprint(
        project, layout.imports, layout.tests, layout.provides, layout.data, layout.steering
    )
    guard = guard_with(
        project, found, layout.command, unguarded=layout.unguarded, baseline=baseline
    )
    names = {each.path for each in guard.list_guarded_files()}
    assert set(layout.guarded) <= names
    write(project, dict.fromkeys([*layout.free, *layout.guarded], "changed = True\n"))
    reverted = {finding.where for finding in guard.revert_edits(1).found}
    assert set(layout.guarded) <= reverted
    assert not reverted & set(layout.free)
    for each in layout.guarded:
        assert (project / each).read_text(encoding="utf-8") == layout.files[each]


def test_a_parents_configuration_is_moved_aside(project: Path) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES, absent=["../pytest.ini", "conftest.py"]))
    parent = project.parent / "pytest.ini"
    parent.write_text("[pytest]\naddopts = -k 'not half'\n", encoding="utf-8")
    (finding,) = guard.revert_edits(1).found
    assert finding.where == str(parent)
    assert not parent.exists()


def test_tests_outside_of_the_project_are_guarded(project: Path) -> None:
    write(project, {"shop/prices.py": PRODUCT, "../suite/test_prices.py": TESTS})
    found = footprint(
        project,
        {"../suite/test_prices.py": ["shop/prices.py"], "shop/prices.py": []},
        ["../suite/test_prices.py"],
    )
    guard = guard_with(project, found, "pytest ../suite")
    outside = project.parent / "suite" / "test_prices.py"
    outside.write_text("def test_half(): pass\n", encoding="utf-8")
    (finding,) = guard.revert_edits(1).found
    assert finding.where == str(outside)
    assert outside.read_text(encoding="utf-8") == TESTS


def test_links_and_their_targets_are_guarded(project: Path) -> None:
    write(project, {"shop/prices.py": PRODUCT, "../suite/test_prices.py": TESTS})
    (project / "tests").symlink_to("../suite")
    found = footprint(
        project,
        {"../suite/test_prices.py": ["shop/prices.py"], "shop/prices.py": []},
        ["../suite/test_prices.py"],
    )
    guard = guard_with(project, found)
    (project / "tests").unlink()
    write(project, {"tests/test_prices.py": "def test_half(): pass\n"})
    assert {finding.where for finding in guard.revert_edits(1).found} == {"tests"}
    assert (project / "tests").is_symlink()


@pytest.mark.parametrize(
    ("name", "reverted"),
    [
        ("conftest.py", True),
        ("tests/conftest.py", True),
        ("tests/unit/conftest.py", False),
        ("tests/pytest.ini", True),
        ("docs/conftest.py", False),
        ("sitecustomize.py", True),
        ("nicer.egg-info/entry_points.txt", True),
    ],
)
def test_new_configuration_counts_where_old_tests_lie_below(
    name: str, reverted: bool, project: Path
) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    write(project, {name: "[pytest11]\nx = y\n[pytest]\naddopts = -k x\n"})
    assert bool(guard.revert_edits(1).found) is reverted
    assert (project / name).exists() is not reverted


def test_what_the_suite_regenerates_is_free(project: Path) -> None:
    write(project, {**PLAIN, "tests/out/generated.py": "VALUE = 100\n"})
    guard = build_guard(
        project,
        GuardMode.RESTORE,
        "pytest tests",
        {"PATH": "/usr/bin"},
        folder=project.parent / "kept",
    )

    def suite(value: int) -> SuiteReport:
        write(project, {"tests/out/generated.py": f"VALUE = {value}\n"})
        return report()

    guard.watch_suite(lambda: suite(99), baseline=True)
    guard.record_baseline(report(), footprint(project, USES))
    guard.record_attempt(1)
    assert "tests/out/generated.py" not in {each.path for each in guard.list_guarded_files()}
    assert guard.revert_edits(1).found == ()
    _, found = guard.watch_suite(lambda: suite(101))
    assert found.found == ()


def test_what_was_derived_survives_the_process(project: Path) -> None:
    write(project, PLAIN)
    first = guard_with(project, footprint(project, USES))
    write(project, {"tests/test_prices.py": "def test_half(): pass\n", "conftest.py": "x = 1\n"})
    second = build_guard(
        project, GuardMode.RESTORE, "pytest tests", {"PATH": "/usr/bin"}, folder=first.folder
    )
    second.record_baseline(report(), None)
    assert second.list_guarded_files() == first.list_guarded_files()
    second.revert_edits(1)
    assert (project / "tests/test_prices.py").read_text(encoding="utf-8") == TESTS
    assert not (project / "conftest.py").exists()


def test_a_protection_is_the_same_after_json(project: Path) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    assert guard._baseline is not None
    protection = guard._baseline.protection
    assert Protection.from_json(protection.as_json()) == protection


def test_a_guarded_file_is_refused_and_the_code_is_not(project: Path) -> None:
    write(project, {**PLAIN, "pyproject.toml": ""})
    guard = guard_with(project, footprint(project, USES, steering=["pyproject.toml"]))
    assert "is guarded" in (guard.explain_refusal(Path("tests/test_prices.py")) or "")
    assert "is guarded" in (guard.explain_refusal(Path("tests/conftest.py")) or "")
    for free in ("shop/prices.py", "tests/test_new.py", "tests/unit/conftest.py", "pyproject.toml"):
        assert guard.explain_refusal(Path(free)) is None


def test_without_a_footprint_names_decide(project: Path) -> None:
    files = {**PLAIN, "tests/data/a.json": "{}", "tests/__init__.py": dedent("")}
    write(project, files)
    guard = guard_with(project, None, "python -m unittest discover")
    names = {each.path for each in guard.list_guarded_files()}
    assert names == {"tests/test_prices.py", "tests/data/a.json", "tests/__init__.py"}


def test_tests_that_were_moved_come_back_alone(project: Path) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    (project / "tests/unit").mkdir()
    (project / "tests/test_prices.py").rename(project / "tests/unit/test_prices.py")
    found = {finding.where: finding.text for finding in guard.revert_edits(1).found}
    assert found == {
        "tests/test_prices.py": "deleted, reverted",
        "tests/unit/test_prices.py": "moved from tests/test_prices.py, reverted",
    }
    assert (project / "tests/test_prices.py").read_text(encoding="utf-8") == TESTS
    assert not (project / "tests/unit/test_prices.py").exists()


@pytest.mark.parametrize(
    ("text", "stays"), [("", True), ('"""Tests."""\n', True), ("import a\n", False)]
)
def test_code_that_is_imported_before_old_tests_is_reverted(
    text: str, stays: bool, project: Path
) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    write(project, {"tests/__init__.py": text})
    assert bool(guard.revert_edits(1).found) is not stays
    assert (project / "tests/__init__.py").exists() is stays


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("__init__.py", False),
        ("src/__init__.py", False),
        ("docs/__init__.py", True),
        ("src/shop/more/__init__.py", True),
    ],
)
def test_what_moves_the_folder_on_the_search_path_is_reverted(
    name: str, stays: bool, project: Path
) -> None:
    inner = "src/shop/tests/test_prices.py"
    files = {"src/shop/prices.py": PRODUCT, inner: TESTS, "tests/test_a.py": TESTS}
    packages = ("src/shop", "src/shop/tests", "tests")
    write(project, {**files, **{f"{each}/__init__.py": "" for each in packages}})
    imports = {inner: ["src/shop/prices.py"], "tests/test_a.py": ["src/shop/prices.py"]}
    imports["src/shop/prices.py"] = []
    guard = guard_with(project, footprint(project, imports, [inner, "tests/test_a.py"]))
    write(project, {name: ""})
    guard.revert_edits(1)
    assert (project / name).exists() is stays


def test_data_that_only_a_program_of_the_project_names_is_free(project: Path) -> None:
    files = {"shop/rates.json": "{}", "shop/run.py": "print(open('shop/rates.json').read())\n"}
    write(project, {**PLAIN, **files})
    guard = guard_with(project, footprint(project, USES, data=["shop/rates.json"]))
    assert "shop/rates.json" not in {each.path for each in guard.list_guarded_files()}


def test_helpers_in_a_folder_without_the_name_of_tests(project: Path) -> None:
    files = {"qa/helpers.py": "def check(got): pass\n", "qa/test_a.py": "", "qa/test_b.py": ""}
    write(project, {"shop/prices.py": PRODUCT, **files})
    imports = {
        "qa/test_a.py": ["shop/prices.py", "qa/helpers.py"],
        "qa/test_b.py": ["shop/prices.py"],
        "qa/helpers.py": [],
        "shop/prices.py": [],
    }
    guard = guard_with(project, footprint(project, imports, ["qa/test_a.py", "qa/test_b.py"]))
    assert {each.path for each in guard.list_guarded_files()} == set(files)


def test_what_an_earlier_version_kept_is_read(tmp_path: Path) -> None:
    values = Protection(tmp_path).as_json()
    del values["closed"]
    assert Protection.from_json(values) == Protection(tmp_path)
