"""The configuration of a run, as its record has it: without secrets.

A value that holds one, such as an address with a password, is not written down. Whoever carries the
run on takes it from the project's own configuration or from the environment, if it is there still.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.config import Config, load
from orchestrator.errors import UsageError
from orchestrator.masking import REDACTED, Masker

_PLACEHOLDER: Final = re.compile(re.escape(REDACTED) + r"[^\]]*\]")


def mask_config(config: Config, masker: Masker) -> str:
    """Return a configuration as text for the record."""
    values = _map_texts(config.model_dump(mode="json"), masker.text)
    # A pattern of secrets is none.
    values["redaction"] = config.redaction.model_dump(mode="json")
    return json.dumps(values)


def recall_config(text: str, project: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration that a record has.

    Args:
        text: what `mask_config` gave.
        project: the project's directory, whose present configuration has what was not kept.
        environment: has it otherwise.

    Raises:
        UsageError: a value that was not kept is nowhere, or is another now.
    """
    kept = json.loads(text)
    if REDACTED not in text:
        return Config.model_validate(kept)
    present = load(project, None, (), environment).config
    return Config.model_validate(_fill(kept, present.model_dump(mode="json"), ()))


def _fill(kept: Any, present: Any, key: tuple[str, ...]) -> Any:  # noqa: ANN401 -- JSON
    """Put the present values in the place of those that were not kept."""
    if key[:1] == ("redaction",) or REDACTED not in json.dumps(kept):
        return kept
    if isinstance(kept, dict):
        known = present if isinstance(present, dict) else {}
        return {name: _fill(each, known.get(name), (*key, name)) for name, each in kept.items()}
    if _fits(kept, present):
        return present
    variable = f"ORCHESTRATOR_{'_'.join(key)}".upper()
    raise UsageError(
        f"`{'.'.join(key)}` held a secret when the run was started, which was not kept, and is "
        "another now",
        f"set {variable} as before, and resume again",
    )


def _fits(kept: Any, present: Any) -> bool:  # noqa: ANN401 -- JSON
    """Return whether a value is what was kept of it, save for the secrets."""
    if isinstance(kept, list) and isinstance(present, list):
        return len(kept) == len(present) and all(map(_fits, kept, present))
    if isinstance(kept, str) and isinstance(present, str):
        parts = map(re.escape, _PLACEHOLDER.split(kept))
        return re.fullmatch(".+".join(parts), present, re.DOTALL) is not None
    return bool(kept == present)


def _map_texts(value: Any, change: Callable[[str], str]) -> Any:  # noqa: ANN401 -- JSON
    match value:
        case str():
            return change(value)
        case dict():
            return {name: _map_texts(each, change) for name, each in value.items()}
        case list():
            return [_map_texts(each, change) for each in value]
    return value
