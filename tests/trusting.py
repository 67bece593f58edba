"""Trust what a test's project asks for, as its user would with `orchestrator trust --yes`."""

from pathlib import Path

from orchestrator.services.trust import list_requests, trust_values


def trust_project(project: Path) -> None:
    """Remember a yes to all that a project asks for now."""
    project = project.resolve()
    trust_values(project, {each.key: each.text for each in list_requests(project) if each.text})
