"""Read what a project declares to need: names of packages, and what pip installs them from.

Both come from the same sources, so that nothing counts as declared without a way to install it, if
there is one.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import (
    Table,
    find_table,
    list_texts,
    read_ini,
    read_text,
    read_toml,
)

_NAME: Final = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(?:$|[\[<>=!~;@(,\s])")
_REQUIREMENT: Final = re.compile(
    r"\s*([A-Za-z][\w.-]*(?:\s*\[[\w\s,.-]+\])?\s*"
    r"(?:(?:[<>=!~]=?=?\s*[\w.*+-]+[\s,]*)*|@\s*[\w+]+://[^\s;]+\s*))(?:;.*)?"
)
"""A requirement that can be an argument of pip: no option."""
_FOR_TESTS: Final = ("test", "tests", "testing", "dev")
"""Usual names of what a project needs for its tests only."""
_REQUIREMENTS_FILE: Final = re.compile(
    r"(?:(?:all|dev|tests?)[-_])?requirements(?:[-_](?:all|dev|tests?))?\.txt"
    r"|requirements/(?:all|base|common|dev|main|requirements|testing|tests?)\.txt"
)
"""Files with what the code and its tests need. Others may be for documents or a server."""
_OTHER_NAMES: Final = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv_python opencv_python_headless",
    "dateutil": "python_dateutil",
    "docx": "python_docx",
    "dotenv": "python_dotenv",
    "git": "gitpython",
    "jwt": "pyjwt",
    "mysqldb": "mysqlclient",
    "openssl": "pyopenssl",
    "pil": "pillow",
    "psycopg2": "psycopg2_binary",
    "serial": "pyserial",
    "skimage": "scikit_image",
    "sklearn": "scikit_learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
"""Packages in wide use that are not called like the module that they provide."""


@dataclass(frozen=True)
class _Source:
    """A list of packages that a project declares to need."""

    names: tuple[str, ...]
    """Of the distributions, as far as they are known."""
    arguments: tuple[str, ...]
    """Of pip, each ready for a shell."""
    is_complete: bool = True
    """Whether the names are all that is declared."""
    is_general: bool = True
    """Whether it is needed for the code or its tests, and not for something else."""


@dataclass(frozen=True)
class DeclaredPackages:
    """What a project declares to need."""

    sources: tuple[_Source, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the names of all that is declared are known."""
        return all(each.is_complete for each in self.sources)

    @property
    def has_any(self) -> bool:
        """Whether anything is declared; the names need not be known."""
        return any(each.names or not each.is_complete for each in self.sources)

    def contains(self, module: str) -> bool:
        """Return whether a top-level module is provided by one of the packages."""
        return any(_provides(each, module) for each in self.sources)

    def list_arguments(self, modules: Sequence[str] = ()) -> list[str]:
        """Return what is to be installed for the tests, and for these modules, as pip's arguments.

        Each argument is ready for a shell.
        """
        chosen = (
            each
            for each in self.sources
            if each.is_general or any(_provides(each, module) for module in modules)
        )
        return list(dict.fromkeys(argument for each in chosen for argument in each.arguments))


def read_declared_packages(project: Path) -> DeclaredPackages:
    """Return what the files of a project declare; nothing of the project is executed."""
    pyproject = read_toml(project / "pyproject.toml")
    sources = (
        *_iter_own_sources(project, pyproject),
        *_iter_poetry_groups(pyproject),
        *_iter_pipfile(project),
        *_iter_requirements_files(project),
    )
    return DeclaredPackages(tuple(sources))


def is_installable(project: Path) -> bool:
    """Return whether `pip install -e .` can install the project.

    Without a build system, setuptools finds the packages itself; beside each other in the project's
    folder it takes only one.
    """
    pyproject = read_toml(project / "pyproject.toml")
    poetry = find_table(pyproject, "tool", "poetry") or {}
    if poetry.get("package-mode") is False:
        return False
    if "build-system" in pyproject or files.is_file(project / "setup.py"):
        return True
    return "project" in pyproject and files.is_folder(project / "src")


def _provides(source: _Source, module: str) -> bool:
    wanted = {module.lower(), *_OTHER_NAMES.get(module.lower(), "").split()}
    return any(re.sub(r"[-.]", "_", name.lower()) in wanted for name in source.names)


def _iter_own_sources(project: Path, pyproject: Table) -> Iterator[_Source]:
    """Yield what the project itself needs, what its extras need, and its groups."""
    table = find_table(pyproject, "project") or {}
    options = read_ini(project / "setup.cfg").get("options", {})
    required = _select_texts(table.get("dependencies"))
    required += _split_lines(options.get("install_requires", ""))
    extras = _read_extras(project, table)
    poetry = _build_table_source(find_table(pyproject, "tool", "poetry", "dependencies") or {})
    arguments: tuple[str, ...] = ()
    if is_installable(project):
        tested = [name for name in _FOR_TESTS if name in extras]
        required += [each for name in tested for each in extras.pop(name)]
        target = f".[{','.join(tested)}]" if tested else "."
        arguments = (f"-e {shlex.quote(target)}",)
    main = _build_source(required)
    yield _Source(
        (*main.names, *poetry.names),
        arguments or (*main.arguments, *poetry.arguments),
        main.is_complete and not _is_computed(project, pyproject),
    )
    groups = _read_groups(pyproject.get("dependency-groups"))
    for key, requirements in (*extras.items(), *groups.items()):
        yield _build_source(requirements, is_general=key in _FOR_TESTS)


def _is_computed(project: Path, pyproject: Table) -> bool:
    """Return whether a build of the project may add dependencies that its files do not list."""
    table = find_table(pyproject, "project")
    if table is None:
        return files.is_file(project / "setup.py")
    return not {"dependencies", "optional-dependencies"}.isdisjoint(
        list_texts(table.get("dynamic"))
    )


def _read_extras(project: Path, table: Table) -> dict[str, list[str]]:
    """Return the requirements of each extra of a project."""
    ini = read_ini(project / "setup.cfg").get("options.extras_require", {})
    extras = {key: _split_lines(value) for key, value in ini.items()}
    return {**extras, **_read_groups(table.get("optional-dependencies"))}


def _iter_poetry_groups(pyproject: Table) -> Iterator[_Source]:
    poetry = find_table(pyproject, "tool", "poetry") or {}
    yield _build_table_source(find_table(poetry, "dev-dependencies") or {})
    groups = find_table(poetry, "group") or {}
    for key, group in groups.items():
        table = find_table(group, "dependencies") if isinstance(group, dict) else None
        yield _build_table_source(table or {}, is_general=key in _FOR_TESTS)


def _iter_pipfile(project: Path) -> Iterator[_Source]:
    pipfile = read_toml(project / "Pipfile")
    for key in ("packages", "dev-packages"):
        yield _build_table_source(find_table(pipfile, key) or {})


def _iter_requirements_files(project: Path) -> Iterator[_Source]:
    found = {
        file.relative_to(project).as_posix(): read_text(file)
        for pattern in ("*requirements*.txt", "requirements/*.txt")
        for file in sorted(files.find_paths(project, pattern))
    }
    for path, text in found.items():
        lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
        listed = [line for line in lines if line and not line.startswith(("-", "#"))]
        included = [line for line in lines if re.match(r"-r|--requirement|-e|--editable", line)]
        source = _build_source(listed)
        yield replace(
            source,
            arguments=(f"-r {shlex.quote(path)}",),
            is_complete=source.is_complete and all(_is_among(line, found) for line in included),
            is_general=bool(_REQUIREMENTS_FILE.fullmatch(path)),
        )


def _is_among(line: str, paths: Iterable[str]) -> bool:
    """Return whether a line of a file of requirements includes one of the files that are read."""
    name = re.split(r"[\s=/]", line)[-1]
    return not line.startswith(("-e", "--e")) and any(Path(each).name == name for each in paths)


def _build_source(requirements: Iterable[str], *, is_general: bool = True) -> _Source:
    requirements = list(requirements)
    named = [match[1] for each in requirements if (match := _NAME.match(each))]
    usable = [match[1] for each in requirements if (match := _REQUIREMENT.fullmatch(each))]
    arguments = (_format_requirement(each) for each in usable)
    return _Source(tuple(named), tuple(arguments), len(named) == len(requirements), is_general)


def _format_requirement(text: str) -> str:
    is_address = "://" in text
    return shlex.quote(text.strip() if is_address else re.sub(r"\s+", "", text))


def _build_table_source(table: Mapping[str, object], *, is_general: bool = True) -> _Source:
    """Return the packages of a table in which each has a version, as poetry and pipenv have it.

    Bounds that only these tools know are left out. A package from a folder or a repository is no
    argument of pip.
    """
    names = [each for each in table if each != "python" and _NAME.fullmatch(each)]
    arguments = []
    for name in names:
        value = table[name]
        version = value.get("version") if isinstance(value, dict) else value
        if isinstance(version, str):
            is_for_pip = re.match(r"[<>]|[=!~]=", version) and _REQUIREMENT.fullmatch(
                name + version
            )
            arguments.append(_format_requirement(name + version if is_for_pip else name))
    return _Source(tuple(names), tuple(arguments), is_general=is_general)


def _read_groups(value: object) -> dict[str, list[str]]:
    """Return the requirements of each group; values of other types declare nothing."""
    if not isinstance(value, dict):
        return {}
    return {str(key): _select_texts(requirements) for key, requirements in value.items()}


def _select_texts(value: object) -> list[str]:
    """Return the texts of a list; a text alone is none."""
    return list(list_texts(value)) if isinstance(value, list) else []


def _split_lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(("-", "#"))]
