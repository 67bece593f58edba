"""Files of any content, kind and depth stop no detection."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.suites.detection import detect_suite
from orchestrator.suites.detection.source_tree import read_source_tree
from tests.suites.detection.conftest import TEST, Build, Tools

NAMES = (
    *("pyproject.toml", "tox.ini", "setup.cfg", "pytest.ini", "pytest.toml", "noxfile.py"),
    *("Makefile", "package.json", "tests/test_a.py", "pnpm-workspace.yaml", "uv.lock"),
)
DEEP = 100_000
HOSTILE = {
    "pyproject.toml": ("a = " + "[" * DEEP, "[tool]\npytest = 3", "[tool.pytest]\nini_options = []",
                       "[tool.pytest.ini_options]\ntestpaths = 3", "[tool.hatch]\nenvs = []",
                       "[tool.hatch.envs]\nx = 1", "tool = 1", "[tool.uv]\nworkspace = 3"),
    "package.json": ("[" * DEEP, '{"scripts": ' + '{"a":' * DEEP, '{"scripts": []}', "[]",
                     '{"scripts": {"test": {}}}', '{"scripts": {"test": "\\u0000"}}'),
    "noxfile.py": ("(" * DEEP, "-" * DEEP + "1", "\0", "@x\n" * 5000,
                   "import nox\n@nox\ndef a(): 1"),
    "tox.ini": ("  a\n", "[pytest", "[pytest]\n a\n", "[a]\n[a]\nb\nb", "[pytest]\ntestpaths=%(x)s",
                "[pytest]\ntestpaths = ../../** /etc \0 [\n"),
    "Makefile": ("test " * 20_000 + ":", "\t\n\ttest:", "test::\n", "a" * 200_000,
                 "test:\n\t" + "env " * 60_000, "test:\n\t'\n\t" + "(" * 60_000),
}  # fmt: skip

Piece = st.sampled_from(
    ["[tool.pytest.ini_options]\n", "testpaths = [", "'a'", "]", "{", '"scripts"', ":", '"test"',
     "[pytest]\n", "[tox]\n", "test:\n", "\t", "=", "@nox.session\n", "def a(s):\n", " pass\n",
     "\r", "\0", "\ufeff", "\ud7ff", "..", "/", "*"]
)  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, each in HOSTILE.items() for t in each])
def test_hostile_content(build: Build, tools: Tools, name: str, text: str) -> None:
    project = build({name: text, "tests/test_b.py": TEST})
    found = detect_suite(project, tools("npm", "nox", "tox", "make", "uv"))
    assert found.framework == "pytest"
    assert "\0" not in found.command


@given(st.sampled_from(NAMES), st.one_of(st.binary(max_size=300), st.lists(Piece, max_size=30)))
def test_any_content(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes | list[str]
) -> None:
    project = tmp_path_factory.mktemp("p")
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else "".join(content).encode())
    found = detect_suite(project, dict(os.environ))
    assert found.reason.isprintable()
    assert not found.is_sure or found.command


@pytest.mark.parametrize("name", NAMES)
def test_folders_links_and_pipes_in_place_of_files(build: Build, tools: Tools, name: str) -> None:
    project = build({"tests/test_b.py": TEST})
    path = project / name
    path.mkdir()
    assert detect_suite(project, tools()).command
    path.rmdir()
    path.symlink_to(path)
    assert detect_suite(project, tools()).command
    path.unlink()
    os.mkfifo(path)  # reading it would block
    assert detect_suite(project, tools()).command
    path.unlink()
    path.symlink_to("/dev/zero")
    assert detect_suite(project, tools()).command


def test_links_in_a_circle_are_not_followed(build: Build) -> None:
    project = build({"a/b/": "", "tests/test_b.py": TEST})
    (project / "a/b/again").symlink_to(project, target_is_directory=True)
    assert read_source_tree(project).pytest_files == ["tests/test_b.py"]


def test_a_huge_project_is_walked_to_a_limit(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.suites.detection.source_tree.MOST_ENTRIES", 20)
    project = build({f"d{number:02}/x/test_{number}.py": TEST for number in range(40)})
    tree = read_source_tree(project)
    assert (tree.pytest_files, tree.is_complete) == ([], False)
    found = detect_suite(project, {"PATH": ""})
    assert found.reason == "no tests were found among the first 20,000 files and folders"
    assert "--tests" in found.hint
    tree = read_source_tree(project / "d00")
    assert (tree.pytest_files, tree.is_complete) == (["x/test_0.py"], True)


def test_a_folder_of_data_hides_no_tests(
    build: Build, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.suites.detection.source_tree.MOST_ENTRIES", 100)
    monkeypatch.setattr("orchestrator.suites.detection.source_tree.LARGE_FOLDER", 50)
    data = {f"data/{number}.json": "" for number in range(200)}
    project = build({**data, "tests/test_a.py": TEST, "pkg/sub/test_b.py": TEST})
    assert detect_suite(project, tools()).reason == "2 test files in tests/ and pkg/"


def test_folders_of_tests_are_walked_first(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.suites.detection.source_tree.MOST_ENTRIES", 100)
    many = {f"a/b/{number}/x.txt": "" for number in range(100)}
    project = build({**many, "tests/unit/test_a.py": TEST, "z/y/x/test_b.py": TEST})
    assert read_source_tree(project).pytest_files == ["tests/unit/test_a.py"]
    # pytest itself looks everywhere
    assert detect_suite(project, {"PATH": ""}).command == "pytest -v --tb=short"


def test_a_closed_folder_counts_as_empty(build: Build, tools: Tools) -> None:
    project = build({"shut/test_a.py": TEST, "tests/test_b.py": TEST})
    (project / "shut").chmod(0)
    try:
        assert detect_suite(project, tools()).command
    finally:
        (project / "shut").chmod(0o700)


def test_names_that_are_no_text_are_left_out(tmp_path: Path, tools: Tools) -> None:
    for name in (b"t\xff", b"a\x1b[2J"):
        folder = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118
        os.mkdir(folder)  # noqa: PTH102
        with open(os.path.join(folder, b"test_a.py"), "wb"):  # noqa: PTH118, PTH123
            pass
    assert detect_suite(tmp_path, tools()).reason == "no tests were found"
    (tmp_path / "test_b.py").touch()
    assert detect_suite(tmp_path, tools()).reason == "1 test file in the project's folder"


@pytest.mark.parametrize("name", ["x; touch ran", "x\\nresult    1 passed", "$(id)", "-x", ""])
def test_a_name_that_is_more_than_a_word_gets_into_no_command(
    build: Build, tools: Tools, name: str
) -> None:
    text = f'[tool.hatch.envs."{name}".scripts]\ntest = "true"\n'
    assert detect_suite(build({"pyproject.toml": text}), tools("hatch")).command == ""
    text += '[tool.hatch.envs.py3-unit.scripts]\ntest = "true"\n'
    found = detect_suite(build({"pyproject.toml": text}), tools("hatch"))
    assert found.command == "hatch run py3-unit:test"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("pattern", ["*/" * 40, "/*/*/*/*/*/*/*", "../../../../../*/*/*/*/*/x"])
def test_a_glob_that_matches_too_much_is_not_tried(
    build: Build, tools: Tools, pattern: str
) -> None:
    text = f"[pytest]\ntestpaths = {pattern}\n"
    project = build({"pytest.ini": text, "tests/test_a.py": TEST})
    for name in ("a", "b"):
        (project / name).symlink_to(project, target_is_directory=True)
    assert detect_suite(project, tools()).command
