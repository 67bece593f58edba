"""New files that shadow modules are decisive; new modules of other names are not."""

from pathlib import Path

import pytest

from orchestrator.models import Diff
from tests.guard.footprints import GREEN, footprint, guard_with
from tests.guard.projects import write

PLAIN = {
    "shop/__init__.py": "",
    "shop/prices.py": "def to_cents(text): return 1\n",
    "tests/test_prices.py": "from shop.prices import to_cents\n",
    "tests/conftest.py": "import pytest\n",
    "tests/helpers.py": "X = 1\n",
}
USES = {
    "tests/test_prices.py": ["shop/prices.py", "tests/helpers.py"],
    "tests/helpers.py": [],
    "shop/prices.py": [],
}


@pytest.mark.parametrize(
    ("name", "decisive"),
    [
        ("tests/shop/__init__.py", True),
        ("tests/shop/prices.py", True),
        ("tests/shop/test_more.py", False),
        ("tests/conftest/__init__.py", True),
        ("tests/conftest.cpython-311-x86_64-linux-gnu.so", True),
        ("tests/helpers/__init__.py", True),
        ("helpers.py", True),
        ("platform.py", True),
        ("tests/random.pyc", True),
        ("json/__init__.py", True),
        ("shop.py", False),
        ("shop/prices.so", False),
        ("shop/json/__init__.py", False),
        ("shop/logging.py", False),
        ("tests/unit/json.py", False),
        ("tests/more.py", False),
        ("catalogue.py", False),
        ("docs/platform.py", False),
        ("tests/unit/conftest.py", False),
    ],
)
def test_a_new_module_in_the_place_of_another(name: str, decisive: bool, project: Path) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES, steering=["tests/conftest.py"]))
    write(project, {name: "X = 1\n"})
    guard.revert_edits(1)
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert any(finding.decisive for finding in found) is decisive
    assert (project / name).exists()


@pytest.mark.parametrize(
    ("files", "decisive"),
    [
        ({"shop/rounding.pyc": ""}, True),
        ({"shop/prices.pyc": ""}, False),
        ({"shop/_fast.cpython-311-x86_64-linux-gnu.so": ""}, True),
        ({"shop/_fast.so": "", "shop/_fast.pyx": ""}, False),
        ({"shop/_fast.so": "", "setup.py": "Extension('shop._fast', ['src/f.c'])"}, False),
        ({"shop/__pycache__/rounding.cpython-311.pyc": ""}, False),
    ],
)
def test_a_compiled_module_without_its_source(
    files: dict[str, str], decisive: bool, project: Path
) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    write(project, files)
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert any(finding.decisive for finding in found) is decisive


def test_a_new_tests_own_folder_is_searched_too(project: Path) -> None:
    write(project, PLAIN)
    guard = guard_with(project, footprint(project, USES))
    write(project, {"tests/unit/test_more.py": "", "tests/unit/decimal.py": ""})
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert [finding.where for finding in found if finding.decisive] == ["tests/unit/decimal"]


def test_a_module_beside_a_package_without_an_initial_file(project: Path) -> None:
    files = {name: text for name, text in PLAIN.items() if name != "shop/__init__.py"}
    write(project, files)
    guard = guard_with(project, footprint(project, USES))
    write(project, {"shop.py": "X = 1\n"})
    found = guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found
    assert [finding.where for finding in found if finding.decisive] == ["shop"]
    (project / "shop.py").unlink()
    write(project, {"shop/__init__.py": ""})
    assert guard.check_verdict(1, GREEN, Diff((), project / "no.patch")).found == ()
