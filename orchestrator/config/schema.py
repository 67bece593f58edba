"""Define every setting, with its meaning, its unit and its default.

`docs/configuration.md` is generated from here. The keys of the published `config.yaml` keep
their names and meaning; everything else is an addition with a default.

Longer than 350 lines: it is one list of settings.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from orchestrator.masking.user_pattern import check_pattern
from teacher.models import DEFAULT_PROMPTS, FailureType


def _check_pattern(pattern: str) -> str:
    check_pattern(pattern)
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(_check_pattern)]
Seconds = Annotated[float, Field(gt=0, le=7 * 24 * 3600)]


class Section(BaseModel):
    """A mapping of the file. Unknown keys are errors; values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TeacherSection(Section):
    """The model that turns a failure into a rule."""

    mode: Literal["auto", "local", "claude", "webhook"] = "auto"
    """`local` asks Anthropic's API from this machine, with a key; `claude` asks through the Claude
    Code program, with its login; `auto` does the first if there is a key, and else the second;
    `webhook` asks an n8n workflow."""
    model: str = "claude-sonnet-5-5"
    """Model that is asked, except by a workflow. A retired name is replaced, and a model without a
    known price is charged as the most expensive one; a notice says so."""
    max_tokens: int = Field(default=1024, ge=64, le=32_000)
    """Most tokens of one answer."""
    timeout: Seconds = 120
    """Seconds for one request, except to a workflow."""
    fallback: Literal["none", "local"] = "none"
    """With `local`, Anthropic's API is asked whenever the webhook cannot be, with a key."""


class N8nSection(Section):
    """The webhook teacher. Its token comes from the environment: `N8N_WEBHOOK_TOKEN`."""

    webhook_url: str = ""
    """Address of the workflow's production webhook."""
    timeout: Seconds = 90
    """Seconds for one request; it is sent with the request, and the shipped workflow waits 5 s less
    for the model. The default is below the 100 s after which the proxy of n8n Cloud gives up; a
    proxy of your own needs more than it, too."""
    retry_for: float = Field(default=120, ge=0, le=3600)
    """Seconds within which a request that did not get through is tried again. With more than
    `n8n.timeout`, an n8n that was killed is waited for until it asks the model again."""
    auth: Literal["token", "jwt"] = "token"
    """`token` sends the token itself. `jwt` signs each request with it (HS256, for five minutes),
    for a node Webhook with JWT Auth: then the token is in nothing that n8n or a proxy stores."""
    token_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    """Header that carries the token; `Authorization` has it as `Bearer TOKEN`. With `auth: jwt`, it
    is always `Authorization`."""
    allow_http: bool = False
    """Whether diff, logs and token may leave this machine unencrypted."""
    max_requests_per_hour: int = Field(default=120, ge=1)
    """Most requests to the webhook in an hour, all runs together: it stops workflows that loop."""
    max_cost_usd_per_day: float = Field(default=20.0, gt=0)
    """US dollars that the webhook teacher may report in a day, all runs together."""


class LearningSection(Section):
    """When to try again, and from where."""

    max_retries: int = Field(default=3, ge=0, le=100)
    """Attempts after the first one."""
    auto_retry: bool = True
    """Whether to retry by itself; if not, the run pauses after a failure until `resume`."""
    retry_from: Literal["current", "start"] = "current"
    """Whether a retry starts with the failed attempt's edits, or without them; files with rules
    stay unchanged."""
    approval: Literal["auto", "review", "strict"] = "auto"
    """Which lessons become active by themselves. `auto`: rules about the project's code; a rule
    about anything else (git, commands, packages, the network, secrets, permissions, whether tests
    exist, the agent itself) waits, listed by `orchestrator rules pending`, until a person approves
    it. `review`: none, every new or changed rule waits. `strict`: like `review`, and a rule about
    anything else than code cannot be approved, only written by a person with `rules add`. A rule
    that a review of past sessions proposes always waits, unless `auto` is written in a file or in a
    variable: as the default it does not count there."""
    second_look: bool = False
    """Whether `teacher.model` checks each rule that would become active by itself, without seeing
    the failure that the rule comes from. If it finds that the rule is not only about code, or
    cannot be asked, the rule waits for a person. Each check costs one more small request. With
    `teacher.mode: webhook` it is made as with `auto`: that takes a key, or a login of Claude
    Code."""


class RulesSection(Section):
    """Where rules go, and how many: models follow a short list better than a long one."""

    target: Literal["project", "user", "rules-dir", "agents-md"] = "project"
    """Where a new rule is written: the project's CLAUDE.md; your own in `~/.claude`, for every
    project; `.claude/rules/`, where a rule can apply to some files only; or the project's
    AGENTS.md."""
    mirror: bool = False
    """Whether CLAUDE.md and AGENTS.md always contain the same rules (target `project` or
    `agents-md`)."""
    max_rules: int | None = Field(default=50, ge=1)
    """Most active rules; the least valuable one is archived to make room for a new one."""
    max_tokens: int | None = Field(default=4000, ge=100)
    """Most tokens that the active rules add to every session (estimated)."""

    @model_validator(mode="after")
    def _check_mirror_target(self) -> Self:
        if self.mirror and self.target in ("user", "rules-dir"):
            raise ValueError(f"`mirror` keeps CLAUDE.md and AGENTS.md; target is {self.target}")
        return self


class FailureSource(Section):
    """One source of failures."""

    name: Literal["pytest", "manual", "semantic"]
    """`pytest` is the project's suite, whatever its framework; `manual` is `report-failure`."""
    type: str = ""
    """A description for people; it has no effect."""
    enabled: bool = True
    """Whether failures of this source are taught."""


class TestsSection(Section):
    """The suite that gives the verdict."""

    __test__ = False

    framework: Literal["pytest", "command"] = "pytest"
    """`pytest` reads the result of each test case; `command` uses the exit code alone."""
    command: str = "pytest tests/ -v --tb=short"
    """The suite's command, run in the project's directory and environment. If nothing sets it, it
    is detected, and a line at the start of a run names it."""
    timeout: Seconds = 120
    """Seconds for one run of the suite."""
    old_failures: Literal["ignore", "must_pass"] = "ignore"
    """Whether a run counts as solved while test cases fail that failed before it and are unrelated
    to the task and the change (`ignore`), or not. A task that asks for all tests includes them."""
    guard: Literal["restore", "flag", "off"] = "restore"
    """Edits of existing tests and of files that affect them are reverted before the verdict, or
    only reported (`flag`), or ignored (`off`)."""
    unguarded: tuple[str, ...] = ()
    """Files that are never guarded, as globs from the project's folder: `shop/fixtures/*.json`."""


class AgentSection(Section):
    """The coding agent."""

    kind: Literal["claude_code", "command"] = "claude_code"
    """`command` runs any headless agent from `agent.command`."""
    command: tuple[str, ...] = ()
    """Program and arguments; `{prompt}` or `{prompt_file}` is replaced. Without either, the prompt
    is on standard input."""


class ClaudeSection(Section):
    """The settings of Claude Code."""

    max_turns: int = Field(default=15, ge=1, le=1000)
    """Most turns of one attempt."""
    output_format: Literal["json", "stream-json", "text"] = "json"
    """Accepted for compatibility. The output of Claude Code is always read as a stream."""
    model: str | None = None
    """Claude Code's model; its own default if not set."""
    allowed_tools: tuple[str, ...] = ()
    """Permission rules in addition to editing files and running the suite: `Bash(npm *)`."""
    dangerously_skip_permissions: bool = False
    """Whether Claude Code asks for no permission at all. Only you can set this; the project's own
    `orchestrator.yaml` cannot."""
    trust_project: bool | None = None
    """Whether the project's own settings for Claude Code are loaded: hooks, MCP servers,
    permissions. Without a value, they are if `orchestrator trust` has remembered your yes to
    them. CLAUDE.md and rules are loaded in any case."""
    sandbox: dict[str, JsonValue] = {}
    """Claude Code's own `sandbox` settings, passed through: `{enabled: true, failIfUnavailable:
    true}`."""


class LimitsSection(Section):
    """The limits of a run."""

    max_cost_usd: float | None = Field(default=10.0, gt=0)
    """US dollars for a whole run, agent and teacher together."""
    max_cost_usd_per_day: float | None = Field(default=50.0, gt=0)
    """US dollars within 24 hours, all your runs on this machine together."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of every kind for a whole run; checked before each attempt and lesson."""
    max_agent_starts_per_hour: int | None = Field(default=60, ge=1)
    """Attempts within an hour, all your runs on this machine together."""
    run_wall_clock: Seconds = 28_800
    """Seconds for a whole run, waits included; `resume` starts the count again."""
    wall_clock: Seconds = 1800
    """Seconds for one attempt of the agent."""
    no_output: Seconds = 600
    """Seconds of silence after which the agent counts as stalled."""
    max_processes: int | None = Field(default=256, ge=8)
    """Most processes at a time of the agent and all that it starts."""
    same_tool_call: int | None = Field(default=8, ge=2)
    """Number of equal tool calls in a row, or of equal series of up to four calls, after which an
    attempt is ended because it makes no progress. Calls that only read count too."""
    stuck_after: int | None = Field(default=3, ge=2)
    """Number of failed attempts in a row with nothing new, after which a run is ended as stuck."""
    wait_for_reset: bool = False
    """Whether to wait until a usage limit is reset, if the time is known; if not, the run stops."""


class RedactionSection(Section):
    """Secrets that are neither sent nor stored, in addition to those of known formats."""

    patterns: tuple[Pattern, ...] = Field(default=(), max_length=100)
    """Regular expressions of the project's own secrets. If one has a group, the group is masked. A
    pattern that backtracks too much is refused; if one takes too long later, the text that it was
    searching is masked."""


class WorkspaceSection(Section):
    """The folder that a run works in."""

    isolate: bool = False
    """Whether a run works in a git worktree of its own and leaves a branch,
    `orchestrator/<run id>`; if not, it works in the project's folder."""


class TasksSection(Section):
    """Lists of tasks: when a task is given up, and when a list stops."""

    max_failures: int = Field(default=2, ge=1, le=20)
    """Runs of a task that may fail; then it is quarantined, and blocks its dependents only."""
    max_returns: int = Field(default=2, ge=0, le=20)
    """How often a task runs again because its work conflicts with others; then it needs a
    person."""
    stop_after: int = Field(default=3, ge=1, le=100)
    """Tasks in a row without progress, or with the same failure, after which a list stops."""
    max_cost_usd: float | None = Field(default=50.0, gt=0)
    """US dollars for all runs of a list together."""
    wall_clock: float | None = Field(default=None, gt=0)
    """Seconds for a whole list; `tasks resume` starts the count again."""


class LanesSection(Section):
    """The work trees in which the agents of a task list work."""

    prepare: str = ""
    """A command that prepares a new lane, such as `npm ci`; run in it, without a shell."""
    prepare_timeout: Seconds = 600
    """Seconds that it may take."""
    include: tuple[str, ...] = ()
    """Globs of files that git ignores and that each lane gets from the project's folder: `.env`."""
    ports: tuple[str, ...] = ("PORT",)
    """Names of environment variables; in each lane, each names a port that is free."""
    predict: bool = False
    """Whether the model is asked once, before lanes run side by side, which files the tasks that
    name none will change. It sees their texts and the names of the project's files."""
    on_conflict: Literal["warn", "pause"] = "warn"
    """What happens when two lanes change the same lines while they work: a notice, or the younger
    one is ended and its task starts again when the other has landed."""
    hot: tuple[str, ...] = ()
    """Globs of files that only one lane at a time may change, in addition to lock files,
    migrations, changelogs and generated files."""


class QueueSection(Section):
    """The queue by which workers get runs."""

    repository: str = ""
    """The git repository through which code and results travel, as a URL or path that every worker
    can reach: a bare mirror. Without one, it is in the state directory: for workers of this
    machine."""
    lanes: int = Field(default=2, ge=1, le=7)
    """Runs at a time of one worker."""
    fleet_lanes: int = Field(default=20, ge=1, le=10_000)
    """Runs at a time of all workers together."""
    starts_per_hour: int | None = Field(default=None, ge=1)
    """Most runs that are started in an hour, all workers together."""

    @field_validator("repository")
    @classmethod
    def _refuse_password(cls, value: str) -> str:
        # It would be in a row of the database, and in the list of processes.
        if re.match(r"[a-z+]+://[^/@]*:[^/@]+@", value, re.I):
            raise ValueError("the address has a password: use ssh, or git's credential helper")
        return value


class ReviewSection(Section):
    """The review of past sessions of Claude Code."""

    max_lessons: int = Field(default=3, ge=0, le=50)
    """Most findings that the teacher is asked about in one review, all projects together; the
    others wait for the next one."""
    max_cost_usd: float = Field(default=1.0, gt=0)
    """US dollars that one review may spend on the teacher."""
    lookback_days: float = Field(default=30, ge=1, le=3650)
    """Days in which something must have gone wrong in enough sessions to be a finding; it is
    reported if the last time was in the reviewed period."""
    archive_days: float | None = Field(default=365, gt=0, le=36_500)
    """Days for which copies of transcripts are retained after their last change. `null` retains
    them for as long as there is room."""
    archive_mb: int = Field(default=2000, ge=1)
    """Megabytes that the copies of transcripts may take; the oldest are removed first."""
    config_dirs: tuple[str, ...] = ()
    """Configuration folders of Claude Code whose sessions are read, in addition to
    `CLAUDE_CONFIG_DIR` and `~/.claude`."""


class StateSection(Section):
    """The retention of runs in the state directory."""

    keep_days: float | None = Field(default=90, gt=0, le=36_500)
    """Days for which a run's files and details are retained after its end: patches, reports,
    events. Older ones are removed at the end of a run, and by `orchestrator runs prune`; the run's
    outcome and cost stay on record. `null` retains everything."""


DEFAULT_SOURCES = (
    FailureSource(name="pytest", type="automated"),
    FailureSource(name="manual", type="user_reported"),
    FailureSource(name="semantic", type="llm_analysis", enabled=False),
)


class Config(Section):
    """The whole configuration."""

    teacher: TeacherSection = TeacherSection()
    n8n: N8nSection = N8nSection()
    learning: LearningSection = LearningSection()
    rules: RulesSection = RulesSection()
    failure_sources: tuple[FailureSource, ...] = DEFAULT_SOURCES
    """The sources of failures, and whether they are taught."""
    failure_prompts: dict[FailureType, str] = DEFAULT_PROMPTS
    """Prompt for each type of failure: a shipped one by name, or the path of a `.md` file."""
    tests: TestsSection = TestsSection()
    agent: AgentSection = AgentSection()
    claude: ClaudeSection = ClaudeSection()
    limits: LimitsSection = LimitsSection()
    redaction: RedactionSection = RedactionSection()
    workspace: WorkspaceSection = WorkspaceSection()
    tasks: TasksSection = TasksSection()
    lanes: LanesSection = LanesSection()
    queue: QueueSection = QueueSection()
    review: ReviewSection = ReviewSection()
    state: StateSection = StateSection()

    def is_source_enabled(self, name: str) -> bool:
        """Return whether failures of this source are taught: yes for one that is not listed."""
        return all(source.enabled for source in self.failure_sources if source.name == name)

    def resolve_prompts(self) -> dict[FailureType, str]:
        """Return the prompt of every failure type: the configured one, or the default."""
        return {**DEFAULT_PROMPTS, **self.failure_prompts}
