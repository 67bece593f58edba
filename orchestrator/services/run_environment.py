"""What a verdict rests on in the environment, kept with a run for whoever resumes it.

Of a variable that may hold a secret nothing but the name is written: a digest of a short secret can
be guessed. Its value comes from the environment of the process that resumes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.events import Listener, Notice
from orchestrator.masking import Masker
from orchestrator.suites.environment import restore_decisive_variables, select_decisive_variables

_FILE: Final = "variables.json"


def record_variables(folder: Path, environment: Mapping[str, str], masker: Masker) -> None:
    """Write down the variables that a verdict rests on; null stands for what may be a secret.

    Args:
        folder: the run's folder.
        environment: what suite and agent see as theirs.
        masker: knows what a secret is.
    """
    kept = {
        name: None if masker.is_secret_variable(name, value) else value
        for name, value in select_decisive_variables(environment).items()
    }
    (folder / _FILE).write_text(json.dumps(kept), encoding="utf-8")


def restore_variables(
    folder: Path, environment: Mapping[str, str], listener: Listener
) -> Mapping[str, str]:
    """Return an environment with what a verdict rests on as it was when the run started.

    Args:
        folder: the run's folder.
        environment: ours, which has the values that were not written down.
        listener: told which of them are missing.
    """
    try:
        kept = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return environment
    withheld = sorted(name for name, value in kept.items() if value is None)
    known = {name: value for name, value in kept.items() if value is not None}
    known |= {name: environment[name] for name in withheld if name in environment}
    if missing := [name for name in withheld if name not in environment]:
        listener(Notice(_describe_missing(missing)))
    return restore_decisive_variables(environment, known)


def _describe_missing(names: list[str]) -> str:
    was, its, it = ("were", "their values", "them") if names[1:] else ("was", "its value", "it")
    return (
        f"{', '.join(names)} {was} set when the run started and not any more; {its} may hold a "
        f"secret and {was} not kept: set {it} as before and resume again, or the tests may end "
        "otherwise"
    )
