"""List the detectors."""

from typing import Final

from orchestrator.sessions.detectors.edit_mismatches import find_edit_mismatches
from orchestrator.sessions.detectors.hidden_failures import find_hidden_failures
from orchestrator.sessions.detectors.occurrences import Detect
from orchestrator.sessions.detectors.redundant_reads import find_redundant_reads
from orchestrator.sessions.detectors.repeated_errors import find_repeated_errors
from orchestrator.sessions.detectors.same_command import find_same_commands
from orchestrator.sessions.detectors.suite_loops import find_suite_loops
from orchestrator.sessions.detectors.token_waste import find_token_waste

DETECTORS: Final[tuple[Detect, ...]] = (
    find_repeated_errors,
    find_same_commands,
    find_hidden_failures,
    find_edit_mismatches,
    find_redundant_reads,
    find_suite_loops,
    find_token_waste,
)
"""All detectors; the order is that of a report."""
