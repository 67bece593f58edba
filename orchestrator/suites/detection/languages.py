"""Recognize that a project is written in another language too, by the files of its tools."""

from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import find_table, list_texts, read_toml

_CARGO: Final = "Cargo.toml"
_EXTENSION_BUILDERS: Final = ("maturin", "setuptools-rust", "setuptools_rust")
"""Build backends of Python packages with a part in Rust, which their tests in Python cover."""
_LANGUAGES: Final = {
    "go.mod": "Go",
    _CARGO: "Rust",
    "pom.xml": "Java",
    "build.gradle": "Java",
    "build.gradle.kts": "Kotlin",
    "build.sbt": "Scala",
    "deps.edn": "Clojure",
    "project.clj": "Clojure",
    "Gemfile": "Ruby",
    "composer.json": "PHP",
    "mix.exs": "Elixir",
    "rebar.config": "Erlang",
    "Package.swift": "Swift",
    "pubspec.yaml": "Dart",
    "deno.json": "TypeScript",
    "stack.yaml": "Haskell",
    "dune-project": "OCaml",
}
_SUFFIXES: Final = {".sln": "C#", ".csproj": "C#", ".fsproj": "F#", ".cabal": "Haskell"}


def find_other_language(project: Path) -> tuple[str, str]:
    """Return another language than Python, and the file that shows it; empty if there is none.

    JavaScript is not among them: its package.json says whether it has tests.
    """
    for name, language in _LANGUAGES.items():
        if files.is_file(project / name) and not (name == _CARGO and _is_extension(project)):
            return language, name
    for entry in sorted(files.list_folder(project), key=lambda each: each.name):
        language = _SUFFIXES.get(Path(entry.name).suffix, "")
        if language and entry.name.isprintable():
            return language, entry.name
    return "", ""


def _is_extension(project: Path) -> bool:
    build = find_table(read_toml(project / "pyproject.toml"), "build-system") or {}
    required = " ".join(list_texts(build.get("requires")))
    return any(each in required for each in _EXTENSION_BUILDERS)
