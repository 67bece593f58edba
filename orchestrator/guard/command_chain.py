"""Follows the suite's command to the files that decide what it does.

Make, npm and other task runners read files of the project; their recipes source and run further
ones. All of them are guarded, also those that a tool would read and that do not exist. What a
command *tests* is not guarded: a script that holds the code under test, or paths passed to pytest.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.guard.protection import normalize_name
from orchestrator.guard.scripts import (
    Language,
    detect_language,
    is_product,
    iter_sibling_imports,
    iter_strings,
)
from orchestrator.guard.task_runners import TASK_RUNNERS, Reference
from orchestrator.platform import files
from orchestrator.suites.pytest.node_ids import extract_file_part

_JS: Final = ("js", "cjs", "mjs", "ts", "mts", "json")

_PREFIXES: Final = frozenset(
    {
        *("exec", "command", "env", "time", "nice", "nohup", "sudo", "then", "do", "else", "if"),
        *("uv", "poetry", "pipenv", "pdm", "hatch", "rye", "conda", "coverage", "run", "xvfb-run"),
        *("npx", "bunx", "pnpx", "dotenv", "!", "{", "(", "eval", "xargs", "timeout"),
    }
)
"""Words before the program that the command is about."""

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash"})
_CONFIGS: Final = {
    "jest": tuple(f"jest.config.{end}" for end in _JS),
    "vitest": tuple(f"{tool}.config.{end}" for tool in ("vitest", "vite") for end in _JS[:-1]),
    "mocha": tuple(f".mocharc.{end}" for end in (*_JS, "yml", "yaml")),
    "ava": tuple(f"ava.config.{end}" for end in _JS[:3]),
    "c8": (".c8rc.json", ".c8rc"),
    "nyc": (".nycrc", ".nycrc.json"),
    "karma": ("karma.conf.js",),
    "cargo": (".cargo/config.toml", ".cargo/config", "build.rs"),
    "go": ("go.work",),
    "coverage": (".coveragerc",),
    "rspec": (".rspec",),
    "phpunit": ("phpunit.xml", "phpunit.xml.dist"),
    "nose2": ("nose2.cfg", "unittest.cfg"),
    "npm": (".npmrc",),
    "pnpm": (".npmrc",),
    "yarn": (".yarnrc", ".yarnrc.yml", ".npmrc"),
    "bats": ("setup_suite.bash",),
}
"""Files in its start folder that a program reads without being asked to."""

_DATA: Final = re.compile(
    r"\.(?:ini|cfg|toml|ya?ml|json|txt|env|conf|rc|mk|opts|args|lst|list|properties)$|(?:^|/)\.env"
)
_SETTINGS: Final = re.compile(r"\.(?:ini|cfg|toml|ya?ml|env|conf|rc|mk|opts|args)$|(?:^|/)\.env")
"""Those of `_DATA` that configure a program; the others may be what it works on."""

_SHELL_END: Final = re.compile(r"^(?:;|&&|\|\||\||&|\(|\)|;;|\|&)$")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_MOST: Final = 400


@dataclass
class Chain:
    """The files, programs and plugins that a command leads to."""

    files: dict[str, str] = field(default_factory=dict)
    """Names of existing files, with the reason for people."""
    references: dict[str, Reference] = field(default_factory=dict)
    """How each of these files is referred to."""
    absent: dict[str, str] = field(default_factory=dict)
    """Names at which a file would be read, with the reason."""
    programs: set[str] = field(default_factory=set)
    """Names of the programs that are started."""
    product: set[str] = field(default_factory=set)
    """Names of files that are run as the code under test."""
    plugins: set[str] = field(default_factory=set)
    """Modules that pytest loads as plugins by an argument."""


def follow_command(project: Path, command: str) -> Chain:
    """Follow the suite's command.

    Args:
        project: the project's real folder.
        command: the suite's command, as in `tests.command`.
    """
    follower = _Follower(project)
    follower.follow_line(command, project, "tests.command")
    return follower.chain


class _Follower:
    def __init__(self, project: Path) -> None:
        self.project, self.chain = project, Chain()
        self._seen: set[tuple[str, ...]] = set()

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit of followed lines and files is reached."""
        return len(self._seen) > _MOST

    def is_first(self, *key: str) -> bool:
        """Return whether this is the first call with a key."""
        before = key in self._seen
        self._seen.add(key)
        return not before

    def follow_line(self, text: str, cwd: Path, by: str) -> None:
        """Follow one line of shell."""
        for inner in re.findall(r"\$\(([^()]+)\)|`([^`]+)`", text):
            if "".join(inner) != text:
                # Its output becomes a part of the command: `$(cat options.txt)`.
                for word in "".join(inner).split()[1:]:
                    self._guard_data_file(word, cwd, by)
                self.follow_line("".join(inner), cwd, by)
        for words in _iter_commands(text):
            cwd = self._follow_simple_command(words, cwd, by)

    def _follow_simple_command(self, words: Sequence[str], cwd: Path, by: str) -> Path:
        """Follow one simple command; return the folder that the next one starts in."""
        self._guard_data_arguments(words, cwd, by)
        left = list(words)
        while left and (
            _ASSIGNMENT.match(left[0]) or left[0] in _PREFIXES or left[0].startswith("-")
        ):
            self._record_program(left[0], cwd)
            left.pop(0)
        if not left:
            return cwd
        program, arguments = left[0], left[1:]
        if program in ("cd", "pushd") and arguments:
            return cwd / arguments[0]
        self._record_program(program, cwd)
        # `python3.11` is handled as `python` is.
        handler = _HANDLERS.get(re.sub(r"(?<=\w)[\d.]+$", "", Path(program).name or program))
        if handler:
            handler(self, arguments, cwd, by)
        elif Path(program).name in _SHELLS:
            self._follow_shell(arguments, cwd, by)
        elif "/" in program or files.is_file(cwd / program):
            self.follow_script(program, cwd, by)
        if handler is None:
            for word in arguments:
                self._follow_argument(word, cwd, by)
        return cwd

    def _guard_data_arguments(self, words: Sequence[str], cwd: Path, by: str) -> None:
        """Guard the data files that the words of a command name."""
        for at, word in enumerate(words):
            if word in ("<", "-a", "--env-file", "-f", "--file") and at + 1 < len(words):
                self._guard_data_file(words[at + 1], cwd, by)
            elif word.startswith("@"):
                self._guard_data_file(word[1:], cwd, by)
            elif "=" in word:
                self._guard_data_file(word.partition("=")[2], cwd, by)

    def _record_program(self, word: str, cwd: Path) -> None:
        if re.fullmatch(r"[A-Za-z][\w.+-]*", word):
            self.chain.programs.add(word)
            for name in _CONFIGS.get(word, ()):
                self.guard_path(cwd / name, f"read by {word}")

    def guard_path(self, path: Path, why: str, reference: Reference = Reference.READ) -> bool:
        """Guard a file, or a path at which none may appear; return whether there is a file."""
        name = normalize_name(self.project, path)
        if name.startswith(("/usr/", "/bin/", "/dev/", "/proc/", "/etc/")):
            return False
        if not files.is_file(path):
            if not files.exists(path):
                self.chain.absent.setdefault(name, why)
            return False
        if name not in self.chain.files:
            self.chain.files[name], self.chain.references[name] = why, reference
        return True

    def _guard_data_file(self, word: str, cwd: Path, by: str) -> None:
        if word and "\0" not in word and _DATA.search(word) and files.is_file(cwd / word):
            self.guard_path(cwd / word, f"named by {by}", Reference.NAMED)

    def _follow_argument(self, word: str, cwd: Path, by: str) -> None:
        """Follow an argument of a program whose options are not known."""
        if word.startswith("-") or "\0" in word or len(word) > 300:
            return
        if word.endswith((".sh", ".bash", ".py", ".js", ".cjs", ".mjs")):
            self.follow_script(word, cwd, by)
        elif _SETTINGS.search(word):
            self._guard_data_file(word, cwd, by)

    # ---- programs --------------------------------------------------------------------------

    def _follow_shell(self, arguments: Sequence[str], cwd: Path, by: str) -> None:
        for at, word in enumerate(arguments):
            if re.fullmatch(r"-\w*c", word):  # `sh -ec "..."`
                self.follow_line(" ".join(arguments[at + 1 : at + 2]), cwd, by)
                return
            if not word.startswith("-"):
                self.follow_script(word, cwd, by, as_shell=True)
                return

    def _follow_source(self, arguments: Sequence[str], cwd: Path, by: str) -> None:
        for word in arguments[:1]:
            if self.guard_path(cwd / word, f"sourced by {by}"):
                self._follow_lines(cwd / word, cwd)

    def _follow_python(self, arguments: Sequence[str], cwd: Path, by: str) -> None:
        left = list(arguments)
        while left:
            word = left.pop(0)
            if word == "-m" and left:
                self._follow_module(left[0], left[1:], cwd, by)
                return
            if word in ("-W", "-X"):
                left = left[1:]
            elif word == "-c":
                return
            elif not word.startswith("-"):
                self.follow_script(word, cwd, by)
                for each in left:
                    self._follow_argument(each, cwd, by)
                return

    def _follow_module(self, module: str, arguments: Sequence[str], cwd: Path, by: str) -> None:
        handler = _HANDLERS.get(module)
        if handler:
            handler(self, arguments, cwd, by)
        elif module == "coverage":
            self._follow_simple_command(("coverage", *arguments), cwd, by)
        base = cwd / module.replace(".", "/")
        for path in (base.with_name(f"{base.name}.py"), base / "__main__.py"):
            if files.is_file(path):
                self.follow_script(str(path), cwd, by)

    def _follow_pytest(self, arguments: Sequence[str], cwd: Path, by: str) -> None:
        for word, after in zip(arguments, [*arguments[1:], ""], strict=False):
            if word in ("-c", "--config-file"):
                self.guard_path(cwd / after, f"pytest's configuration, named by {by}")
            elif word.startswith(("--config-file=", "-c")) and word != "-c":
                path = word.partition("=")[2] if "=" in word else word[2:]
                self.guard_path(cwd / path, f"pytest's configuration, named by {by}")
            elif word == "-p":
                self.chain.plugins.add(after)
            elif re.match(r"-p\w", word):
                self.chain.plugins.add(word[2:])
            elif word.startswith("@"):
                self.guard_path(cwd / word[1:], f"arguments of pytest, named by {by}")
            elif not word.startswith("-") and files.is_file(cwd / extract_file_part(word)):
                self.chain.product.add(normalize_name(self.project, cwd / extract_file_part(word)))

    # ---- scripts ---------------------------------------------------------------------------

    def follow_script(self, word: str, cwd: Path, by: str, *, as_shell: bool = False) -> None:
        """Follow a program of the project, unless it holds the code under test."""
        path = cwd / word
        name = normalize_name(self.project, path)
        if name.startswith(("/usr/", "/bin/")) or not files.is_file(path):
            if as_shell and not files.exists(path) and "$" not in word:
                self.guard_path(path, f"run by {by}")
            return
        language = Language.SHELL if as_shell else detect_language(path)
        if language in (Language.BINARY, Language.DATA):
            return
        if is_product(path, language, self.project):
            self.chain.product.add(name)
            return
        if not self.guard_path(path, f"run by {by}") or not self.is_first(name, ""):
            return
        if language is Language.SHELL:
            self._follow_lines(path, cwd)
        else:
            self.follow_strings(path, cwd)

    def _follow_lines(self, path: Path, cwd: Path) -> None:
        shown = normalize_name(self.project, path)
        if self.is_exhausted or not self.is_first(shown, "lines"):
            return
        for line in files.read_text(path).replace("\\\n", " ").splitlines():
            self.follow_line(line, cwd, shown)

    def follow_strings(self, path: Path, cwd: Path) -> None:
        """Follow the files and commands in the strings and imports of a program.

        Args:
            path: a Python or JavaScript program.
            cwd: the folder that it starts in.
        """
        shown = normalize_name(self.project, path)
        for word in iter_strings(path):
            for folder in dict.fromkeys((cwd, path.parent)):
                self._follow_argument(word, folder, shown)
            if " " in word:
                self.follow_line(word, cwd, shown)
        for sibling in iter_sibling_imports(path, self.project):
            why = f"imported by {shown}"
            exists = self.guard_path(sibling, why, Reference.IMPORTED)
            if exists and self.is_first(str(sibling), ""):
                self.follow_strings(sibling, cwd)


_HANDLERS: Final[Mapping[str, Callable[[_Follower, Sequence[str], Path, str], None]]] = {
    **TASK_RUNNERS,
    "python": _Follower._follow_python,
    "pypy": _Follower._follow_python,
    "py": _Follower._follow_python,
    "pytest": _Follower._follow_pytest,
    "py.test": _Follower._follow_pytest,
    "source": _Follower._follow_source,
    ".": _Follower._follow_source,
}


def _iter_commands(text: str) -> Iterator[list[str]]:
    """Yield the simple commands of a line of shell."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>")
        # Without this, shlex splits words at each character that is no letter, digit or `~-./*?=`.
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # an unclosed quote: the line is part of a longer command
        words = text.split()
    current: list[str] = []
    for word in words:
        if _SHELL_END.match(word):
            yield current
            current = []
        else:
            current.append(word)
    yield current
