"""List the detectors."""

from typing import Final

from orchestrator.sessions.detectors.cache_misses import find_cache_misses
from orchestrator.sessions.detectors.corrections import find_corrections
from orchestrator.sessions.detectors.edit_mismatches import find_edit_mismatches
from orchestrator.sessions.detectors.hidden_failures import find_hidden_failures
from orchestrator.sessions.detectors.interruptions import find_interruptions
from orchestrator.sessions.detectors.occurrences import Detect
from orchestrator.sessions.detectors.permissions import find_permission_prompts
from orchestrator.sessions.detectors.procedures import find_procedures
from orchestrator.sessions.detectors.redundant_reads import find_redundant_reads
from orchestrator.sessions.detectors.rejections import find_rejections
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
    find_rejections,
    find_corrections,
    find_interruptions,
    find_permission_prompts,
    find_token_waste,
    find_procedures,
    find_cache_misses,
)
"""All detectors; the order is that of a report."""
