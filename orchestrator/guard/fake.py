"""A reviewer whose findings are scripted: for tests, and for trying out the rest."""

from collections import deque

from orchestrator.models import Attempt, Finding, Findings


class ScriptedReviewer:
    """Returns one scripted review after the other, then finds nothing.

    `reviewed` has the attempts that were reviewed. A repeated review of an attempt returns what
    the first one returned.

    Args:
        reviews: the findings of each attempt, in order.
    """

    def __init__(self, *reviews: tuple[Finding, ...]) -> None:
        self._reviews = deque(reviews)
        self._returned: dict[int, Findings] = {}
        self.reviewed: list[Attempt] = []

    def enqueue_review(self, *found: Finding) -> None:
        """Add the findings of an attempt to come."""
        self._reviews.append(found)

    def review(self, attempt: Attempt) -> Findings:
        """Return the next findings."""
        self.reviewed.append(attempt)
        if attempt.number not in self._returned:
            found = self._reviews.popleft() if self._reviews else ()
            self._returned[attempt.number] = Findings(found)
        return self._returned[attempt.number]
