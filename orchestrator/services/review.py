"""Review past sessions: archive, read, find, propose, report, in the order of a night.

Everything before the teacher needs no model. Each step can be repeated: if the process is killed
on the way, what is done stays, and the next review does the rest. The review itself is recorded
last, so that one that was cut short is due again.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.budget.metering import Account
from orchestrator.config import LoadedConfig
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.events import Listener
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.project import resolve_project
from orchestrator.proposals.models import Proposal, ProposalKind, ProposalStatus
from orchestrator.services import wiring
from orchestrator.services.review_lessons import teach_proposals
from orchestrator.services.trust import TEACHING, load_known_config, load_trusted_config
from orchestrator.sessions.findings import Remedy, SessionFinding
from orchestrator.sessions.models import SessionClass
from orchestrator.sessions.report import FindingReport, ProjectReport, ReviewReport
from orchestrator.storage.runs import Store

DUE_AFTER: Final = timedelta(hours=20)
"""Time after which a review is due again: a timer of every night may fire a little early."""
USUAL_PERIOD: Final = timedelta(hours=24)


@dataclass(frozen=True)
class ReviewRequest:
    """What to review.

    Args:
        project: the folder of the project; None for all projects.
        since: the start of the period; that of the last review, and at least a day ago, if None.
        only_due: whether to do nothing if the last review was less than `DUE_AFTER` ago.
        dry_run: whether to propose nothing, ask nobody and copy nothing.
    """

    project: Path | None
    since: datetime | None = None
    only_due: bool = False
    dry_run: bool = False


class ReviewActiveError(InfrastructureError):
    """Another review works at this moment; it finds what this one would have found."""
