"""What the verdict rests on does not change while the suite runs, nor is it restored from lies."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.guard import Guard, GuardMode
from orchestrator.models import Case, CaseOutcome, Diff, Finding, FindingKind, SuiteReport
from tests.guard.footprints import GREEN, footprint, guard_with, report
from tests.guard.projects import write

TEST = "from shop.prices import to_cents\n"
PRODUCT = "def to_cents(text): return 1\n"


@pytest.fixture
def guard(project: Path) -> Guard:
    write(project, {"shop/prices.py": PRODUCT, "tests/test_prices.py": TEST})
    write(project, {"tests/data/cases.json": "{}", "shop/rates.json": "{}"})
    uses = {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}
    return guard_with(project, footprint(project, uses, absent=["../pytest.ini", "conftest.py"]))


def running(work: Callable[[], object]) -> Callable[[], SuiteReport]:
    def run() -> SuiteReport:
        work()
        return GREEN

    return run


def test_a_quiet_run_is_silent(guard: Guard) -> None:
    guard.revert_edits(1)
    assert guard.watch_suite(lambda: GREEN) == (GREEN, guard.revert_edits(1))


@pytest.mark.parametrize(
    "name", ["tests/test_prices.py", "tests/data/cases.json", "../pytest.ini", "conftest.py"]
)
def test_a_guarded_file_that_changes_is_decisive_and_restored(
    name: str, guard: Guard, project: Path
) -> None:
    path = project / name
    before = path.read_text(encoding="utf-8") if path.exists() else None
    guard.revert_edits(1)
    _, found = guard.watch_suite(running(lambda: write(project, {name: "changed"})))
    assert [finding.decisive for finding in found.found] == [True]
    assert "while the suite ran" in found.found[0].text
    now = path.read_text(encoding="utf-8") if path.exists() else None
    assert now == before


def test_sources_that_are_rewritten_and_restored_are_seen(guard: Guard, project: Path) -> None:
    source = project / "shop" / "prices.py"
    at = source.stat()

    def rewrite() -> None:
        source.write_text("def to_cents(text): return 101\n", encoding="utf-8")
        source.write_text(PRODUCT, encoding="utf-8")
        os.utime(source, ns=(at.st_atime_ns, at.st_mtime_ns))

    guard.revert_edits(1)
    _, found = guard.watch_suite(running(rewrite))
    assert [(each.where, each.decisive) for each in found.found] == [("shop/prices.py", True)]


def test_data_of_the_product_may_change(guard: Guard, project: Path) -> None:
    guard.revert_edits(1)
    write_log = running(lambda: write(project, {"shop/rates.json": "1", "out.log": "x"}))
    assert guard.watch_suite(write_log)[1].found == ()


def test_what_is_changed_after_it_was_restored_is_decisive(guard: Guard, project: Path) -> None:
    guard.revert_edits(1)
    write(project, {"tests/test_prices.py": "weak\n"})
    seen: list[str] = []
    read = project / "tests" / "test_prices.py"
    _, found = guard.watch_suite(running(lambda: seen.append(read.read_text(encoding="utf-8"))))
    assert [finding.decisive for finding in found.found] == [True]
    assert seen == [TEST]


def test_bytecode_of_the_project_is_dropped(guard: Guard, project: Path) -> None:
    caches = [
        "shop/__pycache__/prices.cpython-311.pyc",
        "tests/__pycache__/test_prices.cpython-311-pytest-9.2.0.pyc",
    ]
    write(project, dict.fromkeys([*caches, "shop/__pycache__/notes.txt"], "x"))
    guard.watch_suite(lambda: GREEN)
    assert not any((project / each).exists() for each in caches)
    assert (project / "shop/__pycache__/notes.txt").exists()


@pytest.mark.parametrize("data", [b"weak\n", zlib.compress(b"weak\n"), b""])
def test_a_copy_that_was_edited_is_not_restored_from(
    guard: Guard, project: Path, data: bytes
) -> None:
    for copy in (guard.folder / "files").iterdir():
        copy.write_bytes(data)
    write(project, {"tests/test_prices.py": "weak\n"})
    with pytest.raises(InfrastructureError, match=r"cannot restore tests/test_prices\.py"):
        guard.revert_edits(1)


def test_a_folder_that_is_gone_is_an_infrastructure_error(guard: Guard) -> None:
    guard.folder.rename(guard.folder.with_name("elsewhere"))
    with pytest.raises(InfrastructureError, match="cannot be restored"):
        guard.revert_edits(1)


def test_a_folder_that_claims_to_be_an_environment_is_entered(guard: Guard, project: Path) -> None:
    patch = "import _pytest.python as p\np.Function.runtest = lambda self: None\n"
    write(project, {"shop/pyvenv.cfg": "", "shop/__init__.py": patch})
    guard.revert_edits(1)
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert [(each.where, each.decisive) for each in found] == [("shop/__init__.py", True)]


def test_code_outside_of_the_project_that_the_attempt_wrote(guard: Guard, project: Path) -> None:
    home = project.parent / "home"
    write(home, {"lib/rounding.py": "X = 1\n"})
    code = "import os, sys\nsys.path.append(os.path.expanduser('~/lib'))\nimport rounding\n"
    write(project, {"shop/__init__.py": code})
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert [each.decisive for each in found] == [True, False]
    assert "wrote outside" in found[0].text


def test_in_flag_mode_nothing_is_changed_and_nothing_decides(project: Path) -> None:
    write(project, {"shop/prices.py": PRODUCT, "tests/test_prices.py": TEST})
    uses = {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}
    guard = guard_with(project, footprint(project, uses), mode=GuardMode.FLAG)
    write(project, {"tests/test_prices.py": "weak\n", "conftest.py": "x = 1\n"})
    assert [each.decisive for each in guard.revert_edits(1).found] == [False, False]
    _, found = guard.watch_suite(running(lambda: write(project, {"tests/test_prices.py": "w"})))
    assert [each.decisive for each in found.found] == [False]
    assert (project / "tests/test_prices.py").read_text(encoding="utf-8") == "w"


def test_new_tests_run_apart_too(guard: Guard, project: Path) -> None:
    write(project, {"tests/test_aaa.py": "def test_ready(): pass\n"})
    guard.revert_edits(1)
    both = report((*(case.id for case in GREEN.cases), "tests/test_aaa.py::test_ready"), ())
    asked: list[list[str]] = []

    def rerun(select: object) -> SuiteReport:
        asked.append(list(select))  # type: ignore[call-overload]
        return report()

    found = guard.check_verdict(1, both, Diff((), project / "no.patch"), rerun).found
    assert asked == [["tests/test_prices.py"]] * 2
    assert [(each.kind, each.decisive) for each in found] == [(FindingKind.HIDDEN, True)]
    assert "passes only beside the new tests" in found[0].text


NEW_TEST = "tests/test_aaa.py::test_ready"


@pytest.mark.parametrize(
    ("alone", "runs"),
    [
        ((report(), GREEN), 2),  # unsteady
        ((GREEN,), 1),
        ((report((NEW_TEST,)),), 1),  # a wrapper runs the new ones too
    ],
)
def test_the_control_is_repeated_before_it_is_believed(
    alone: tuple[SuiteReport, ...], runs: int, guard: Guard, project: Path
) -> None:
    write(project, {"tests/test_aaa.py": "def test_ready(): pass\n"})
    guard.revert_edits(1)
    both = report((*(case.id for case in GREEN.cases), NEW_TEST), ())
    left = list(alone)
    diff = Diff((), project / "no.patch")
    assert guard.check_verdict(1, both, diff, lambda _select: left.pop(0)).found == ()
    assert len(left) == len(alone) - runs


def test_a_suite_that_cannot_select_is_asked_once(guard: Guard, project: Path) -> None:
    write(project, {"tests/test_aaa.py": "def test_ready(): pass\n"})
    guard.revert_edits(1)
    both = report((*(case.id for case in GREEN.cases), NEW_TEST), ())
    left = [both]
    for _ in range(2):
        guard.check_verdict(1, both, Diff((), project / "no.patch"), lambda _select: left.pop(0))
    assert left == []


@pytest.mark.parametrize(
    ("files", "case", "counts"),
    [
        (
            {
                "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef dear(): return 1\n",
                "tests/test_more.py": "def test_more(dear): assert dear\n",
            },
            "fixture 'dear' not found",
            False,
        ),
        (
            {
                "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef dear(): return 1\n",
                "tests/test_more.py": "def test_more(): assert False\n",
            },
            "assert False",
            True,
        ),
        ({"tests/test_more.py": "def test_more(dear): assert dear\n"}, "not found", True),
        (
            {
                "pytest.ini": "[pytest]\nmarkers = slow\n",
                "tests/test_more.py": "import pytest\n@pytest.mark.slow\ndef test_more(): pass\n",
            },
            "'slow' not found in `markers` configuration option",
            False,
        ),
    ],
)
def test_a_new_test_does_not_count_where_what_it_needs_was_reverted(
    files: dict[str, str], case: str, counts: bool, project: Path
) -> None:
    write(project, {"shop/prices.py": PRODUCT, "tests/test_prices.py": TEST})
    write(project, {"tests/conftest.py": "import pytest\n"})
    uses = {"tests/test_prices.py": ["shop/prices.py"], "shop/prices.py": []}
    guard = guard_with(project, footprint(project, uses, steering=["tests/conftest.py"]))
    write(project, files)
    guard.revert_edits(1)
    failed = Case(
        "tests/test_more.py::test_more",
        CaseOutcome.ERROR,
        message=case,
        file="tests/test_more.py",
        function="tests/test_more.py::test_more",
    )
    assert guard.is_caused_by_revert(failed) is not counts
    old = Case("x", CaseOutcome.FAILED, message=case, file="tests/test_prices.py")
    assert not guard.is_caused_by_revert(old)


def test_a_verdict_rests_on_the_files_that_the_suite_left(guard: Guard, project: Path) -> None:
    write(project, {"json.py": "X = 1\n"})
    guard.revert_edits(1)
    assert guard.watch_suite(lambda: GREEN)[1].found == ()
    (project / "json.py").unlink()
    assert [each.where for each in judged(guard, project)] == ["json"]
    assert judged(guard, project) == []  # nothing ran since: the files are looked at


def test_after_another_run_the_files_are_looked_at(guard: Guard, project: Path) -> None:
    guard.revert_edits(1)
    guard.watch_suite(lambda: GREEN)
    guard.collect_writes(lambda: GREEN)
    write(project, {"json.py": "X = 1\n"})
    assert [each.where for each in judged(guard, project)] == ["json"]


def judged(guard: Guard, project: Path) -> list[Finding]:
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    return [each for each in found if each.decisive]
