"""What a run will do at most, known before anything is spent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunPlan:
    """The suite, the limits and the guard of a run, and whose work it starts from."""

    command: str
    """The suite's command."""
    program: str
    """The program that runs it, as a path; empty if it is found by a shell."""
    timeout_seconds: float
    """Seconds after which a run of the suite is ended."""
    max_attempts: int
    max_turns: int | None
    """Most turns of one attempt; None if the agent does not count any."""
    max_cost_usd: float | None
    """US dollars for the whole run; None for no limit."""
    guard: str
    """What happens to the agent's edits of tests, in one line."""
    payers: str = ""
    """Who pays for agent and teacher; empty if they were not built."""
    uncommitted_files: int | None = None
    """Files of the user that are not committed; None without git, or if a run goes on."""
    is_isolated: bool = False
    """Whether it works in a work tree of its own."""
    is_scripted: bool = False
    """Whether the model's replies are scripted, so that nobody pays."""
