"""Read `tests.*` again for a run whose suite has never given a verdict: nothing rests on it yet."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.config.masked_config import read_file, read_given, replace_trusted
from orchestrator.models import RunRecord
from orchestrator.services.trust import list_digests, load_trusted_config
from orchestrator.storage.runs import Store

_PREFIX: Final = "tests."
_GUARD: Final = "guard"
"""Never read again: runs of an earlier version do not say whether the command line set it."""

_JUDGED: Final = frozenset({"files_guarded", "attempt_started"})
"""Kinds of events that come after the baseline has given a verdict."""


def has_judged(store: Store, run: str) -> bool:
    """Return whether the suite of a run has given a verdict on the unchanged project."""
    return any(event.kind in _JUDGED for event in store.events.list_events(run))


def renew_tests(
    record: RunRecord,
    config: Config,
    stored: str,
    project: Path,
    store: Store,
    environment: Mapping[str, str],
) -> tuple[Config, str]:
    """Return the configuration of a run with `tests.*` as the file or the environment has it now.

    Args:
        record: the run.
        config: its configuration.
        stored: its configuration as the database has it.
        project: the project's real path.
        store: the runs.
        environment: the environment.

    Returns:
        The configuration, and the stored one with the settings that the user trusts by now.

    Raises:
        UntrustedError: the project's own file has such settings that the user has not trusted.
        ConfigError: the configuration is wrong.
    """
    if has_judged(store, record.id):
        return config, stored
    loaded = load_trusted_config(
        project,
        read_file(stored),
        (),
        environment,
        state=store.directory,
        of=(_PREFIX,),
    )
    # The command line precedes the file, and is not given again.
    fixed = read_given(stored) | {f"{_PREFIX}{_GUARD}"}
    present = {
        name: value
        for name, value in loaded.config.tests
        if (key := f"{_PREFIX}{name}") not in fixed and loaded.find_origin(key) != "default"
    }
    trusted = [choice for choice in loaded.trusted if choice.key.startswith(_PREFIX)]
    digests = list_digests(project, trusted, store.directory)
    tests = config.tests.model_copy(update=present)
    return config.model_copy(update={"tests": tests}), replace_trusted(stored, _PREFIX, digests)
