"""Dependencies point down the floors, heavy libraries have one owner, importing does nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

FLOORS: tuple[tuple[str, ...], ...] = (
    ("cli",),
    ("services",),
    ("loop", "sessions", "tasks"),
    ("verdict", "teaching", "learnings", "proposals"),
    ("guard", "session_hooks"),
    ("rulebook", "failures", "budget"),
    ("workspace", "suites", "agents", "journal"),
    ("storage", "ports"),
    ("events",),
    ("models", "config", "platform", "replay", "teacher"),
    ("errors", "counts", "masking", "vocabulary", "prompts"),
)
"""The rooms, from the roof to the ground. Neighbours on a floor do not know each other."""

ENTRY_POINTS = {"orchestrator.__main__": "cli", "orchestrator.hooks.entry": "session_hooks"}
"""Modules outside of a room that start one, and the room that they belong to."""

VOCABULARY = ("teacher.address", "teacher.errors", "teacher.models")
"""The part of `teacher` that others may speak without depending on how a teacher works."""

OWNERS = {
    "anthropic": {"teacher.local"},
    "dbos": {"orchestrator.journal.durable", "orchestrator.journal.queues"},
    "genai_prices": {"teacher.prices"},
    "git": {"orchestrator.workspace.repository_history"},
    "httpx": {"teacher.http_client"},
    "httpx2": {"teacher.local"},
    "pygal": {"orchestrator.sessions.counting.stats_picture"},
    "regex": {"orchestrator.masking.user_pattern"},
    "sqlite3": {
        "orchestrator.journal.database",
        "orchestrator.storage.earlier_versions",
        "orchestrator.storage.engines",
        "orchestrator.storage.sqlite_inspection_program",
    },
    "subprocess": {"orchestrator.platform.popen"},
    "tenacity": {"teacher.retry"},
    # Front matter of rule files and of task files is YAML too.
    "yaml": {
        "orchestrator.config.loading",
        "orchestrator.config.yaml_text",
        "orchestrator.rulebook.scope",
        "orchestrator.replay.loading",
        "orchestrator.tasks.reading.front_matter",
    },
}
"""Libraries that only the named modules may import."""

ON_FOREIGN_PATHS = ("orchestrator.guard", "orchestrator.verdict", "orchestrator.suites")
"""Look at what a PATH, a command, a footprint or a text names. The plugin is a program of its own,
which runs inside the suite."""
RAISING = {"exists", "is_file", "is_dir", "is_symlink", "glob", "rglob", "iterdir"}
"""Methods of paths that raise an error where this user may not look."""


def modules() -> dict[str, Path]:
    found = {}
    for package in ("orchestrator", "teacher", "prompts"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in known else node.module


def find_room(module: str) -> str:
    """Return the room of a module: a package or a module below `orchestrator`, or a top level."""
    if module in ENTRY_POINTS:
        return ENTRY_POINTS[module]
    if module in VOCABULARY:
        return "vocabulary"
    return module.removeprefix("orchestrator.").partition(".")[0]


def find_floor(room: str) -> int | None:
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), None)


def is_package_root(module: str) -> bool:
    """Return whether it is a top-level package itself, which imports nothing, or a former room."""
    return module in ("orchestrator", "orchestrator.hooks")


def looks_at_foreign_paths(module: str) -> bool:
    return module.startswith(ON_FOREIGN_PATHS) and ".plugin." not in module


def test_every_room_has_one_floor() -> None:
    rooms = {find_room(name) for name in modules() if not is_package_root(name)}
    assert rooms == {room for floor in FLOORS for room in floor}
    assert len(rooms) == sum(map(len, FLOORS))


def test_the_house_stays_small() -> None:
    assert len(FLOORS) <= 11
    assert sum(map(len, FLOORS)) <= 31


@pytest.mark.parametrize("module", [name for name in modules() if not is_package_root(name)])
def test_dependencies_point_down(module: str) -> None:
    known = modules()
    room = find_room(module)
    floor = find_floor(room)
    assert floor is not None
    for target in imports(known[module], known):
        if target not in known or is_package_root(target):
            continue
        below = find_floor(find_room(target))
        assert find_room(target) == room or below > floor, f"{module} imports {target}"  # type: ignore[operator] # see the test above


def test_no_module_imports_itself_by_way_of_others() -> None:
    known = modules()
    graph = {
        name: {
            target
            for target in imports(path, known)
            if target in known and not is_package_root(target) and target != name
        }
        for name, path in known.items()
    }
    # A package that names what its modules offer is imported by none of them.
    TopologicalSorter(graph).prepare()


def test_the_teacher_knows_nothing_of_the_orchestrator() -> None:
    known = modules()
    for module, path in known.items():
        if module.startswith(("teacher", "prompts")):
            assert not [name for name in imports(path, known) if name.startswith("orchestrator")]


@pytest.mark.parametrize("library", OWNERS)
def test_each_engine_has_one_owner(library: str) -> None:
    known = modules()
    users = {
        module
        for module, path in known.items()
        if any(name == library or name.startswith(f"{library}.") for name in imports(path, known))
    }
    assert users, f"nobody uses {library}: take it off the list"
    assert users <= OWNERS[library]


@pytest.mark.parametrize("module", [name for name in modules() if looks_at_foreign_paths(name)])
def test_a_folder_that_is_closed_to_us_stops_nobody(module: str) -> None:
    for node in ast.walk(ast.parse(modules()[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            careful = node.func.attr not in RAISING or called.startswith("files.")
            assert careful, (
                f"{module}:{node.lineno}: {called} raises; orchestrator.platform.files does not"
            )


def test_help_starts_without_the_heavy_libraries() -> None:
    heavy = (
        *("anthropic", "claude_agent_sdk", "pydantic", "httpx", "httpx2", "rich", "yaml", "git"),
        *("psutil", "orchestrator.tasks", "orchestrator.services", "orchestrator.storage"),
    )
    script = (
        "import sys\nfrom orchestrator.cli.main import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        f"print('loaded:', sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "Usage:" in done.stdout
    assert "loaded: []" in done.stdout


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ("rules list", ("orchestrator.agents", "orchestrator.guard", "orchestrator.suites")),
        ("rules list", ("teacher.local", "markdown_it", "rapidfuzz", "psutil", "httpx", "rich")),
        ("rules list", ("git", "gitdb")),
        ("config show", ("orchestrator.rulebook", "orchestrator.agents", "markdown_it", "rich")),
        ("learnings log ERR x", ("orchestrator.rulebook.rulebook", "pydantic", "sqlite3", "yaml")),
        ("learnings log ERR x", ("git", "gitdb")),
        ("hook", ("git", "gitdb", "pydantic")),
        ("tasks run --help", ("rich", "pydantic", "git", "dbos", "psutil")),
        ("tasks status --all", ("orchestrator.services.dry_run", "orchestrator.services.trust")),
        ("tasks status --all", ("orchestrator.suites", "orchestrator.agents", "git", "rich")),
        ("learnings review", ("orchestrator.rulebook.rulebook", "pydantic", "sqlite3", "yaml")),
    ],
)
def test_a_command_loads_what_it_needs(words: str, heavy: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / ".learnings").mkdir()
    (tmp_path / "CLAUDE.md").write_text("# P\n\n## Learned Rules & Patterns\n", encoding="utf-8")
    script = (
        "import sys\nfrom orchestrator.cli.main import cli\n"
        f"cli({words.split()!r}, standalone_mode=False)\n"
        f"print('loaded:', sorted(set({heavy!r}) & set(sys.modules)))"
    )
    state = {"ORCHESTRATOR_STATE_DIR": str(tmp_path / "state"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", **state},
    )
    assert "loaded: []" in done.stdout


def test_importing_prints_and_writes_nothing(tmp_path: Path) -> None:
    names = [name for name in modules() if not name.endswith("__main__")]
    script = "import importlib, sys\n" + "".join(
        f"importlib.import_module({name!r})\n" for name in names
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
