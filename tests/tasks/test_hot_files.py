"""Tests for globs that can name the same file, and for hot files."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcmatch import glob

from orchestrator.tasks.globs import find_matches, overlap
from orchestrator.tasks.hot_files import conflicts, is_hot
from orchestrator.tasks.models import TaskItem

_FLAGS = glob.GLOBSTAR | glob.BRACE | glob.DOTGLOB

_PATHS = st.lists(st.text("abC.[", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)
_GLOBS = st.lists(
    st.sampled_from(["**", "*", "a*", "*.b", "?", "a?", "[ab]", "{a,b}", "a", "b", "C", "**b"]),
    min_size=1,
    max_size=4,
).map("/".join)
_ANY = st.lists(_PATHS | _GLOBS | st.text(max_size=12), max_size=5)


def _task(*files: str) -> TaskItem:
    return TaskItem("T1", "a", "a", 0, files=files or None)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("src/a.py", "src/a.py"),
        ("src/a.py", "./src//a.py"),
        ("src", "src/a.py"),
        ("src/", "src/deep/a.py"),
        ("src/*", "src/deep/a.py"),
        ("src/*.py", "src/a*"),
        ("src/**/*.ts", "src/a.ts"),
        ("src/**.ts", "src/x/y.ts"),
        ("**/a.py", "src/*.py"),
        ("src/*.{ts,tsx}", "src/a.tsx"),
        ("README.md", "readme.md"),
        ("caf\u00e9.py", "cafe\u0301.py"),
        ("src\\a.py", "src/a.py"),
        (".", "anything"),
        ("pages/[id].tsx", "pages/[id].tsx"),
        ("pages/[id].tsx", "pages/i.tsx"),
        ("a/**/b/**/c", "**/b/x/c"),
        ("{" + "a," * 90 + "b}", "zebra"),
    ],
)
def test_globs_that_can_name_the_same_file_overlap(a: str, b: str) -> None:
    assert overlap([a], [b])
    assert overlap([b], [a])


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("src/a.py", "src/b.py"),
        ("src/a.py", "src/a.pyi"),
        ("src", "src2/a.py"),
        ("src/*.py", "src/*.ts"),
        ("src/*.py", "lib/*.py"),
        ("src/a*.py", "src/b*.py"),
        ("src/*.{ts,tsx}", "src/a.js"),
        ("*.py", "src/a.ts"),
        ("", "a"),
    ],
)
def test_globs_that_name_different_files_do_not_overlap(a: str, b: str) -> None:
    assert not overlap([a], [b])
    assert not overlap([b], [a])


def test_a_name_of_the_project_is_no_glob() -> None:
    paths = ["pages/[id].tsx", "pages/i.tsx"]
    assert not overlap(["pages/[id].tsx"], ["pages/i.tsx"], paths)
    assert overlap(["pages/[id].tsx"], ["pages/*"], paths)
    assert find_matches(["pages/[id].tsx"], paths) == ["pages/[id].tsx"]


@given(_ANY, _ANY, st.lists(_PATHS, max_size=4))
def test_overlap_and_conflicts_are_symmetric(a: list[str], b: list[str], paths: list[str]) -> None:
    assert overlap(a, b, paths) == overlap(b, a, paths)
    one, other = _task(*a), _task(*b)
    assert conflicts(one, other, b, paths) == conflicts(other, one, b, paths)


@given(_PATHS, _GLOBS)
def test_a_path_overlaps_with_each_glob_that_matches_it(path: str, pattern: str) -> None:
    if glob.globmatch(path, pattern, flags=_FLAGS):
        assert overlap([path], [pattern])
        assert find_matches([pattern], [path]) == [path]


@given(_PATHS, _GLOBS, _GLOBS)
def test_globs_that_match_the_same_path_overlap(path: str, a: str, b: str) -> None:
    if all(glob.globmatch(path, each, flags=_FLAGS) for each in (a, b)):
        assert overlap([a], [b])


@given(st.lists(_PATHS | _GLOBS, min_size=1))
def test_globs_overlap_with_themselves(globs: list[str]) -> None:
    assert overlap(globs, globs)
    assert conflicts(_task(*globs), _task(*globs))


def test_many_and_long_globs_take_a_bounded_time() -> None:
    started = time.process_time()
    overlap([f"src/a{each}.py" for each in range(5000)], [f"src/b{each}" for each in range(5000)])
    overlap(["*a" * 240], ["a*" * 240])
    overlap(["*/" * 240 + "a"], ["**/" * 160 + "b"])
    overlap(["*" * 100_000], ["a" * 100_000])
    overlap(["{a,b}" * 90], ["{" * 100_000])
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "path",
    [
        *("package-lock.json", "web/yarn.lock", "uv.lock", "poetry.lock", "Cargo.lock", "go.sum"),
        *("Gemfile.lock", "composer.lock", "Pipfile.lock", "gradle.lockfile", "flake.lock"),
        *("bun.lockb", "mix.lock", "pubspec.lock", "Package.resolved", "packages.lock.json"),
        *("pnpm-lock.yaml", ".terraform.lock.hcl", "MODULE.bazel.lock", "deno.lock"),
        *("app/migrations/0001_initial.py", "db/migrate/2026_add.rb", "alembic/versions/a.py"),
        *("prisma/migrations/1_a/migration.sql", "db/schema.rb", "prisma/schema.prisma"),
        *("CHANGELOG.md", "docs/CHANGES.rst", "HISTORY", "NEWS.txt", "RELEASE_NOTES.md"),
        *("dist/app.js", "web/build/x.css", "src/generated/a.ts", "__generated__/q.graphql"),
        *("a_pb2.py", "a_pb2_grpc.py", "api/a.pb.go", "app.min.js", "x.gen.ts", "y.g.dart"),
        *("zz_generated.deepcopy.go", "api_generated.py", "app.js.map"),
        *("CLAUDE.md", "sub/CLAUDE.md", "AGENTS.md", ".claude/rules/a.md", ".learnings/ERR.md"),
        *("migrations/*.py", "web/*.lock", "package.json", "packages/*/package.json"),
    ],
)
def test_hot_files(path: str) -> None:
    assert is_hot(path)


@pytest.mark.parametrize(
    "path",
    [
        *("src/lock.py", "src/locking.py", "news.py", "history.ts", "block.json", "generate.py"),
        *("src/build.py", "oxygen.ts", "changelog.py", "docs/changes/one.md", "", ".", "README.md"),
        *("src/migrations.py", "schema.rb", "deadlock", "gen.py"),
    ],
)
def test_other_files_are_not_hot(path: str) -> None:
    assert not is_hot(path)


def test_configured_files_are_hot() -> None:
    assert is_hot("src/routes.py", ["src/routes.py"])
    assert is_hot("locales/de/app.json", ["locales"])
    assert not is_hot("src/a.py", ["src/routes.py"])


@pytest.mark.parametrize(
    ("a", "b", "conflict"),
    [
        ("app/migrations/0002_a.py", "app/migrations/0002_b.py", True),
        ("app/migrations/0002_a.py", "shop/migrations/0002_b.py", False),
        ("db/schema.rb", "db/migrate/1_a.rb", True),
        ("package-lock.json", "yarn.lock", True),
        ("package-lock.json", "web/package-lock.json", False),
        ("package-lock.json", "CHANGELOG.md", False),
        ("dist/a.js", "dist/b.js", True),
        ("CLAUDE.md", ".learnings/ERR.md", True),
        ("package.json", "package-lock.json", True),
        ("sub/Cargo.toml", "sub/Cargo.lock", True),
        ("pyproject.toml", "uv.lock", True),
        ("go.mod", "go.sum", True),
        ("Gemfile", "gemfile.lock", True),
        ("composer.json", "composer.lock", True),
        ("package.json", "web/package-lock.json", False),
        ("apps/web/package.json", "pnpm-lock.yaml", True),
        ("apps/web/package.json", "Cargo.lock", False),
        ("apps/web/package.json", "apps/api/package.json", False),
        ("src/a.py", "src/b.py", False),
        ("locales/de.json", "locales/fr.json", True),
    ],
)
def test_hot_files_of_a_group_conflict(a: str, b: str, conflict: bool) -> None:
    assert conflicts(_task(a), _task(b), ["locales/*.json"]) == conflict


def test_a_glob_names_the_hot_files_of_the_project() -> None:
    paths = ["yarn.lock", "package-lock.json", "src/a.ts"]
    assert conflicts(_task("yarn.*"), _task("package*.json"), (), paths)
    assert not conflicts(_task("yarn.*"), _task("package*.json"))


def test_a_workspace_has_one_lock_file() -> None:
    web, top, docs = (
        _task("apps/web/package.json"),
        _task("package.json"),
        _task("docs/package.json"),
    )
    lock = ["package-lock.json"]
    assert conflicts(web, top, (), lock)
    assert conflicts(web, _task("apps/api/package.json"), (), lock)
    assert conflicts(docs, top, (), lock)
    assert not conflicts(docs, top, (), ["docs/yarn.lock", *lock])
    assert not conflicts(web, top)
    assert not conflicts(web, top, (), ["uv.lock"])


def test_files_that_are_not_known_conflict_with_none() -> None:
    assert not conflicts(_task(), _task("a.py"))
