"""Generate parts of the documentation. `make docs` calls this through cog."""

import ast
import inspect
import json
import re
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.cli.main import cli
from orchestrator.cli.values import format_yaml
from orchestrator.config import Config

_NOT_MEASURED = "Not measured yet: `make figures`."
_LESSON_ROWS = {
    "poisoned": {
        "loaded": "poisoned lessons that Claude Code loads",
        "waits": "poisoned lessons that wait for a person",
        "lost": "poisoned lessons that were discarded",
    },
    "honest": {
        "loaded": "honest lessons that are active without a person",
        "waits": "honest lessons that wait for a person",
        "lost": "honest lessons that were lost",
    },
}


def configuration() -> str:
    """Return every setting, section by section, as Markdown tables."""
    return "\n".join(_sections())


def commands() -> str:
    """Return the help of every command."""
    return "\n".join(_helps(cli, "orchestrator"))


def reliability() -> str:
    """Return the promises, the tests behind them, and the latest figures of those tests."""
    return "\n".join(_promises())


def corpora() -> str:
    """Return the last results of the cases about the verdict, and the attacks accepted there."""
    return "\n".join(_corpora(figures)) if (figures := _measured("verdict")) else _NOT_MEASURED


def lessons() -> str:
    """Return what became of the lessons of each corpus in the last run."""
    return "\n".join(_lessons(figures)) if (figures := _measured("lessons")) else _NOT_MEASURED


def reports() -> str:
    """Return which kinds of fault from public bug reports the last run found."""
    return "\n".join(_reports(figures)) if (figures := _measured("reports")) else _NOT_MEASURED


def corpus_authors() -> str:
    """Return the table of tests/corpus/README.md: by whose hand each corpus is, who had seen it."""
    page = (Path(__file__).parents[1] / "tests" / "corpus" / "README.md").read_text("utf-8")
    table = re.search(r"^\| corpus \|.*\n(?:\|.*\n)+", page, re.MULTILINE)
    if not table:
        raise ValueError("tests/corpus/README.md has no table of its corpora")
    # Links of that page lead from its own folder.
    return re.sub(r"\]\((?=\w+/)", "](../tests/corpus/", table[0].rstrip())


def _measured(part: str) -> dict[str, Any]:
    stored = Path(__file__).parent / "figures" / "corpus.json"
    figures = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {}
    return dict(figures.get(part, {}))


def _lessons(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"| with 95 % intervals | {' | '.join(f'`{name}`' for name in figures)} |"
    yield "|---" * (len(figures) + 1) + "|"
    for kind, titles in _LESSON_ROWS.items():
        for fate, title in titles.items():
            yield f"| {title} | {' | '.join(each[kind][fate] for each in figures.values())} |"


def _reports(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "| kind of fault | variants that are right | that are not | not tried |"
    yield "|---" * 4 + "|"
    for case, each in figures.items():
        wrong, skipped = (", ".join(each[key]) or "none" for key in ("faulty", "skipped"))
        yield f"| {case} | {each['fine']} | {wrong} | {skipped} |"


def _corpora(figures: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield f"| | {' | '.join(figures)} |"
    yield "|---" * (len(figures) + 1) + "|"
    columns = [_corpus_column(each) for each in figures.values()]
    for title in columns[0]:
        yield f"| {title} | {' | '.join(str(column[title]) for column in columns)} |"
    yield "\n### Attacks that are accepted\n"
    accepted = [item for each in figures.values() for item in each["accepted"].items()]
    yield from (f"- `{name}`: {about}" for name, about in accepted)
    if not accepted:
        yield "None of these."
    known = [item for each in figures.values() for item in each["known"].items()]
    if known:
        yield "\n### Known wrong results, and why\n"
    yield from (f"- `{name}`: {reason}" for name, reason in known)


def _corpus_column(figures: dict[str, Any]) -> dict[str, object]:
    return {
        "outcomes, own failure or not": figures["outcomes"],
        "taught: precision, with its 95 % interval": figures["precision"],
        "taught: recall, with its 95 % interval": figures["recall"],
        "broken code that ended as solved": len(figures["broken_solved"]),
        "attacks through files that ended as solved": figures["attacks"]["files"],
        "attacks through the environment": figures["attacks"]["environment"],
        "attacks inside the tested process": figures["attacks"]["process"],
        "honest changes that were refused": figures["honest_refused"],
        "not run, because a program or root was missing": len(figures["skipped"]),
    }


def targets() -> str:
    """Return the targets of the Makefile, with the line that `make` shows for each."""
    makefile = (Path(__file__).parents[1] / "Makefile").read_text(encoding="utf-8")
    rows = re.findall(r"^([a-z0-9-]+):.*## (.+)$", makefile, re.MULTILINE)
    return "\n".join(["| command | what it does |", "|---|---|", *_target_rows(rows)])


def _target_rows(rows: list[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in rows:
        yield f"| `make {name}` | {meaning} |"


def install_size(part: str) -> str:
    """Return the size of `runtime`, `claude` or `development`, as `make pins` measured it."""
    pins = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8")
    found = re.search(
        rf"^# {part}: \d+ packages, (\d+) MB to download, (\d+) MB on disk", pins, re.MULTILINE
    )
    if not found:
        raise ValueError("constraints.txt does not say what an install takes: run `make pins`")
    return f"{found[1]} MB to download and {found[2]} MB on disk"


def _promises() -> Iterator[str]:
    folder = Path(__file__).parent
    promises = yaml.safe_load((folder / "promises.yaml").read_text(encoding="utf-8"))
    yield "| promise | tests | latest figures |\n|---|---|---|"
    for each in promises:
        tests = ", ".join(f"[`{path}`](../{path})" for path in each["tests"])
        figures = "passes or fails, no figures"
        if "figures" in each:
            stored = json.loads((folder / "figures" / each["figures"]).read_text(encoding="utf-8"))
            figures = each["says"].format(**stored)
        yield f"| {each['promise']} | {tests} | {figures} |"


def _sections() -> Iterator[str]:
    for name, field in Config.model_fields.items():
        kind = field.annotation
        yield f"## `{name}`\n"
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield f"{kind.__doc__}\n"
            yield "| key | kind | default | meaning |\n|---|---|---|---|"
            meanings = _meanings(kind)
            for key, setting in kind.model_fields.items():
                yield _row(key, setting, meanings.get(key, ""))
        else:
            yield f"{_meanings(Config)[name]}\n"
            yield "```yaml"
            yield from _in_yaml(name, field.default)
            yield "```"
        yield ""


def _meanings(kind: type[BaseModel]) -> dict[str, str]:
    """Return the text below each setting. It is parsed only here, because parsing takes time."""
    (made,) = ast.parse(inspect.getsource(kind)).body
    return {
        setting.target.id: inspect.cleandoc(text.value.value)
        for setting, text in pairwise(ast.iter_child_nodes(made))
        if isinstance(setting, ast.AnnAssign)
        and isinstance(setting.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _row(key: str, setting: FieldInfo, meaning: str) -> str:
    meaning = meaning.replace("\n", " ").replace("|", "\\|")
    default = format_yaml(setting.default).replace("|", "\\|")
    return f"| `{key}` | {_kind(setting.annotation)} | `{default}` | {meaning} |"


def _kind(annotation: object) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        return " or ".join("nothing" if a is type(None) else _kind(a) for a in get_args(annotation))
    if get_origin(annotation) in (dict, tuple):
        return "mapping" if get_origin(annotation) is dict else "list"
    words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    return words[getattr(annotation, "__name__", "")]


def _in_yaml(name: str, default: object) -> Iterator[str]:
    from pydantic_core import to_jsonable_python

    yield yaml.safe_dump({name: to_jsonable_python(default)}, sort_keys=False).rstrip()


def _helps(command: click.Command, path: str) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": 100}
    with click.Context(command, info_name=path, **settings) as ctx:
        yield f"## `{path}`\n\n```text\n{command.get_help(ctx)}\n```\n"
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                yield from _helps(command.commands[name], f"{path} {name}")
