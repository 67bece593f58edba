"""Store the environment variables that a verdict depends on, for the process that resumes a run.

Of a variable that may hold a secret only the name is stored, and no digest either: that of a short
secret can be guessed. Its value comes from the environment of the process that resumes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.events import Listener, Notice
from orchestrator.masking import Masker
from orchestrator.platform import files
from orchestrator.suites.environment import restore_decisive_variables, select_decisive_variables

_FILE: Final = "variables.json"


def record_variables(folder: Path, environment: Mapping[str, str], masker: Masker) -> None:
    """Store the variables that a verdict depends on; null replaces what may be a secret.

    Args:
        folder: the run's folder.
        environment: the environment of suite and agent.
        masker: recognizes secrets.

    Raises:
        OSError: the file cannot be written.
    """
    stored = {
        name: None if masker.is_secret_variable(name, value) else value
        for name, value in select_decisive_variables(environment).items()
    }
    files.write_file(folder / _FILE, json.dumps(stored).encode("ascii"), 0o600)


def restore_variables(
    folder: Path, environment: Mapping[str, str], listener: Listener
) -> Mapping[str, str]:
    """Return an environment with the variables that a verdict depends on as the run was started.

    Args:
        folder: the run's folder.
        environment: the environment of this process, for the values that were not stored.
        listener: receives a notice of values that are missing here too.
    """
    try:
        stored = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return environment
    withheld = sorted(name for name, value in stored.items() if value is None)
    known = {name: value for name, value in stored.items() if value is not None}
    known |= {name: environment[name] for name in withheld if name in environment}
    if missing := [name for name in withheld if name not in environment]:
        listener(Notice(_describe_missing(missing)))
    return restore_decisive_variables(environment, known)


def _describe_missing(names: list[str]) -> str:
    was, its, it = ("were", "their values", "them") if names[1:] else ("was", "its value", "it")
    return (
        f"{', '.join(names)} {was} set when the run started and not any more; {its} may hold a "
        f"secret and {was} not stored: set {it} as before and resume again, or the tests may have "
        "other results"
    )
