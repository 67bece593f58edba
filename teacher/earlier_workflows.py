"""Recognize what earlier versions of the workflows had, so that a person's changes stand out.

When `WORKFLOW_VERSION` is raised, add the digests of the version that was current until then, as
`teacher.workflow_changes.digest_node` returns them.
"""

from collections.abc import Mapping
from typing import Final

EARLIER_NODES: Final[Mapping[int, frozenset[str]]] = {
    1: frozenset(
        (
            *("085ad8698517", "182abe5322f7", "2ff1123254dc", "3b42c633e49c", "465ca0e4f8e2"),
            *("48e5d5357ae9", "50946de01acb", "6333bc25e223", "6d8a11fe09e7", "6dfab2a053b1"),
            *("856b0cf41f3e", "8d97b94f30bb", "9437be17a7d5", "acb79ebefd6d", "b6379b76413e"),
            *("c62d2383e15d", "cc2c1dfd8fa4", "e34aff7f0516", "efbbbab3464f", "fcc353e4f64f"),
        )
    ),
}
"""Digests of the nodes of both workflows, by version."""

FIRST_SETTINGS: Final[Mapping[str, str]] = {
    "model": "c13e66682022",
    "max_tokens": "e39eef82f61b",
    "prompt_shared": "e1bddbc01cc9",
    "prompt_test_failure": "8a96c9b84e81",
    "prompt_planning_error": "a4a4346bebdd",
    "prompt_integration_error": "d1a142fe66ad",
    "prompt_workflow_error": "9a8c9631cb74",
    "prompt_architecture_error": "fc7944a4db95",
    "prompt_scope_error": "418633f59657",
    "prompt_config_error": "bf32eb501e83",
    "prompt_other": "82409441bb25",
    "outside": "4a1ed56aa4ba",
    "question": "ce3e2d919cd4",
    "schema": "f3f983a80881",
}
"""Digests of the settings of version 1, which does not have them in itself as later ones do."""
