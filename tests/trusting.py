"""Trust what a test's project asks for, as its user would with `orchestrator trust --yes`."""

import contextlib
from pathlib import Path

from orchestrator.errors import ConfigError
from orchestrator.services.trust import trust_values
from orchestrator.services.trust_requests import list_requests


def trust_project(project: Path, state: Path | None = None) -> None:
    """Remember a yes to all that a project asks for now; a file that is wrong asks for nothing."""
    project = project.resolve()
    with contextlib.suppress(ConfigError):
        asked = list_requests(project, state)
        trust_values(project, {each.key: each.text for each in asked if each.text}, state)
