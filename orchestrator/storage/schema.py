"""Define the tables of the database, the same in SQLite and Postgres.

Times are ISO 8601 with a time zone, money is in US dollars, `book` is the real path of a rulebook's
file, and attempt 0 of a run is its baseline.

Longer than 350 lines: it is one list, to which scripts are only ever added.
"""

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        task TEXT NOT NULL,
        project TEXT NOT NULL,
        config TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        outcome TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '',
        attempts INTEGER NOT NULL DEFAULT 0,
        cost_usd {real} NOT NULL DEFAULT 0,
        tokens BIGINT NOT NULL DEFAULT 0,
        host TEXT NOT NULL DEFAULT '',
        process INTEGER NOT NULL,
        process_started {real} NOT NULL,
        token INTEGER NOT NULL DEFAULT 0,
        format TEXT NOT NULL,
        pruned TEXT
    );
    CREATE INDEX runs_by_start ON runs (started);
    CREATE INDEX runs_of_a_project ON runs (project, outcome);
    CREATE TABLE results (
        run TEXT PRIMARY KEY,
        result {bytes} NOT NULL
    );
    CREATE TABLE attempts (
        run TEXT NOT NULL,
        number INTEGER NOT NULL,
        book TEXT NOT NULL DEFAULT '',
        at TEXT NOT NULL,
        agent TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        program_version TEXT NOT NULL DEFAULT '',
        outcome TEXT NOT NULL DEFAULT '',
        verdict TEXT NOT NULL DEFAULT '',
        solved INTEGER,
        failure TEXT NOT NULL DEFAULT '',
        turns INTEGER NOT NULL DEFAULT 0,
        cost_usd {real} NOT NULL DEFAULT 0,
        tokens BIGINT NOT NULL DEFAULT 0,
        seconds {real} NOT NULL DEFAULT 0,
        tree_before TEXT NOT NULL DEFAULT '',
        tree_after TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (run, number)
    );
    CREATE INDEX attempts_of_a_book ON attempts (book, at);
    CREATE TABLE suites (
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        passed INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        errors INTEGER NOT NULL,
        skipped INTEGER NOT NULL,
        exit_code INTEGER,
        seconds {real} NOT NULL,
        PRIMARY KEY (run, attempt)
    );
    CREATE TABLE changed_paths (
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        path TEXT NOT NULL,
        status TEXT NOT NULL,
        added INTEGER,
        removed INTEGER,
        PRIMARY KEY (run, attempt, path)
    );
    CREATE TABLE failed_cases (
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        id TEXT NOT NULL,
        outcome TEXT NOT NULL,
        verdict TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        message TEXT NOT NULL,
        PRIMARY KEY (run, attempt, id)
    );
    CREATE INDEX failed_cases_by_fingerprint ON failed_cases (fingerprint);
    CREATE TABLE findings (
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        position INTEGER NOT NULL,
        kind TEXT NOT NULL,
        place TEXT NOT NULL,
        found TEXT NOT NULL,
        decisive INTEGER NOT NULL,
        PRIMARY KEY (run, attempt, position)
    );
    CREATE TABLE events (
        run TEXT NOT NULL,
        position INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        detail TEXT NOT NULL,
        PRIMARY KEY (run, position)
    );
    CREATE TABLE rules (
        position {identity},
        book TEXT NOT NULL,
        id TEXT NOT NULL,
        rule TEXT NOT NULL,
        whenever TEXT NOT NULL,
        why TEXT NOT NULL,
        source TEXT NOT NULL,
        status TEXT NOT NULL,
        reason TEXT NOT NULL,
        origin TEXT NOT NULL,
        proposal TEXT NOT NULL,
        learned TEXT NOT NULL,
        mattered TEXT NOT NULL,
        suggestion TEXT NOT NULL,
        paths TEXT NOT NULL DEFAULT '[]',
        UNIQUE (book, id)
    );
    CREATE TABLE rule_texts (
        book TEXT NOT NULL,
        rule TEXT NOT NULL,
        version INTEGER NOT NULL,
        at TEXT NOT NULL,
        hash TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (book, rule, version)
    );
    CREATE TABLE rule_events (
        position {identity},
        book TEXT NOT NULL,
        rule TEXT NOT NULL,
        at TEXT NOT NULL,
        what TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX events_of_a_rule ON rule_events (book, rule);
    CREATE TABLE exposures (
        book TEXT NOT NULL,
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        rule TEXT NOT NULL,
        text_hash TEXT NOT NULL DEFAULT '',
        witness TEXT NOT NULL DEFAULT '',
        recurred INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (book, run, attempt, rule)
    );
    CREATE INDEX exposures_of_a_rule ON exposures (book, rule);
    CREATE TABLE agreed (
        book TEXT NOT NULL,
        rule TEXT NOT NULL,
        text TEXT NOT NULL,
        PRIMARY KEY (book, rule)
    );
    CREATE TABLE refusals (
        position {identity},
        book TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        rule TEXT NOT NULL,
        text TEXT NOT NULL,
        at TEXT NOT NULL,
        UNIQUE (book, fingerprint)
    );
    CREATE TABLE spending (
        id {identity},
        run TEXT NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 0,
        kind TEXT NOT NULL,
        started {real} NOT NULL,
        closed INTEGER NOT NULL DEFAULT 0,
        cost_usd {real} NOT NULL,
        tokens BIGINT NOT NULL DEFAULT 0,
        host TEXT NOT NULL DEFAULT '',
        process INTEGER NOT NULL,
        process_started {real} NOT NULL
    );
    CREATE INDEX spending_by_time ON spending (started);
    CREATE INDEX spending_of_a_run ON spending (run);
    CREATE INDEX spending_open ON spending (closed) WHERE closed = 0;
    """,
    "ALTER TABLE runs ADD COLUMN undone TEXT;",
    """
    CREATE TABLE transcripts (
        path TEXT PRIMARY KEY,
        family TEXT NOT NULL,
        home TEXT NOT NULL,
        inode BIGINT NOT NULL,
        size BIGINT NOT NULL,
        modified {real} NOT NULL,
        rows_read BIGINT NOT NULL DEFAULT 0,
        unreadable BIGINT NOT NULL DEFAULT 0,
        ids {bytes} NOT NULL,
        reader TEXT NOT NULL
    );
    CREATE INDEX transcripts_of_a_family ON transcripts (family);
    CREATE TABLE sessions (
        family TEXT NOT NULL,
        id TEXT NOT NULL,
        class TEXT NOT NULL,
        project TEXT NOT NULL,
        folder TEXT NOT NULL,
        title TEXT NOT NULL DEFAULT '',
        started TEXT NOT NULL,
        ended TEXT NOT NULL,
        versions TEXT NOT NULL DEFAULT '[]',
        models TEXT NOT NULL DEFAULT '[]',
        prompts INTEGER NOT NULL DEFAULT 0,
        model_calls INTEGER NOT NULL DEFAULT 0,
        tool_calls INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        rejections INTEGER NOT NULL DEFAULT 0,
        interruptions INTEGER NOT NULL DEFAULT 0,
        corrections INTEGER NOT NULL DEFAULT 0,
        input_tokens BIGINT NOT NULL DEFAULT 0,
        output_tokens BIGINT NOT NULL DEFAULT 0,
        cache_read_tokens BIGINT NOT NULL DEFAULT 0,
        cache_write_tokens BIGINT NOT NULL DEFAULT 0,
        output_reliable INTEGER NOT NULL DEFAULT 1,
        cost_usd {real},
        tests TEXT NOT NULL DEFAULT '',
        paths TEXT NOT NULL DEFAULT '[]',
        PRIMARY KEY (family, id)
    );
    CREATE INDEX sessions_by_end ON sessions (ended);
    CREATE INDEX sessions_of_a_project ON sessions (project, ended);
    CREATE TABLE session_tasks (
        family TEXT NOT NULL,
        session TEXT NOT NULL,
        number INTEGER NOT NULL,
        started TEXT NOT NULL,
        ended TEXT NOT NULL,
        tool_calls INTEGER NOT NULL DEFAULT 0,
        edits INTEGER NOT NULL DEFAULT 0,
        suite_runs INTEGER NOT NULL DEFAULT 0,
        unknown_runs INTEGER NOT NULL DEFAULT 0,
        red_runs INTEGER NOT NULL DEFAULT 0,
        resolved INTEGER,
        first_green INTEGER,
        rejections INTEGER NOT NULL DEFAULT 0,
        interruptions INTEGER NOT NULL DEFAULT 0,
        corrections INTEGER NOT NULL DEFAULT 0,
        tokens BIGINT NOT NULL DEFAULT 0,
        seconds {real} NOT NULL DEFAULT 0,
        version TEXT NOT NULL DEFAULT '',
        model TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (family, session, number)
    );
    CREATE TABLE occurrences (
        family TEXT NOT NULL,
        session TEXT NOT NULL,
        position INTEGER NOT NULL,
        detector TEXT NOT NULL,
        key TEXT NOT NULL,
        agent TEXT NOT NULL DEFAULT '',
        row_id TEXT NOT NULL,
        at TEXT NOT NULL,
        quote TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '{{}}',
        PRIMARY KEY (family, session, position)
    );
    CREATE INDEX occurrences_by_time ON occurrences (at);
    CREATE INDEX occurrences_by_key ON occurrences (detector, key);
    CREATE TABLE own_sessions (
        id TEXT PRIMARY KEY,
        folder TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        host TEXT NOT NULL DEFAULT '',
        process INTEGER NOT NULL,
        process_started {real} NOT NULL
    );
    CREATE TABLE proposals (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        title TEXT NOT NULL,
        detector TEXT NOT NULL DEFAULT '',
        created TEXT NOT NULL,
        decided TEXT,
        content TEXT NOT NULL,
        evidence TEXT NOT NULL,
        rule TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        UNIQUE (project, kind, fingerprint)
    );
    CREATE TABLE reviews (
        id {identity},
        started TEXT NOT NULL,
        ended TEXT NOT NULL,
        scope TEXT NOT NULL,
        since TEXT NOT NULL,
        until TEXT NOT NULL,
        report TEXT NOT NULL
    );
    """,
    """
    ALTER TABLE runs ADD COLUMN lane TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN context TEXT NOT NULL DEFAULT '';
    CREATE TABLE task_lists (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        source TEXT NOT NULL,
        format TEXT NOT NULL,
        options TEXT NOT NULL,
        config TEXT NOT NULL,
        branch TEXT NOT NULL,
        base TEXT NOT NULL,
        tip TEXT NOT NULL,
        status TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '',
        started TEXT NOT NULL,
        ended TEXT,
        host TEXT NOT NULL DEFAULT '',
        process INTEGER NOT NULL,
        process_started {real} NOT NULL
    );
    CREATE INDEX task_lists_by_start ON task_lists (started);
    CREATE TABLE tasks (
        list TEXT NOT NULL,
        id TEXT NOT NULL,
        position INTEGER NOT NULL,
        content TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '',
        failures INTEGER NOT NULL DEFAULT 0,
        returns INTEGER NOT NULL DEFAULT 0,
        run TEXT NOT NULL DEFAULT '',
        lane INTEGER NOT NULL DEFAULT 0,
        base TEXT NOT NULL DEFAULT '',
        work TEXT NOT NULL DEFAULT '',
        landed TEXT NOT NULL DEFAULT '',
        hint TEXT NOT NULL DEFAULT '',
        after TEXT NOT NULL DEFAULT '',
        reserved_usd {real} NOT NULL DEFAULT 0,
        cost_usd {real} NOT NULL DEFAULT 0,
        seconds {real} NOT NULL DEFAULT 0,
        updated TEXT NOT NULL,
        PRIMARY KEY (list, id)
    );
    CREATE TABLE task_runs (
        run TEXT PRIMARY KEY,
        list TEXT NOT NULL,
        task TEXT NOT NULL,
        base TEXT NOT NULL,
        work TEXT NOT NULL DEFAULT '',
        learned TEXT NOT NULL DEFAULT '',
        outcome TEXT NOT NULL DEFAULT '',
        detail TEXT NOT NULL DEFAULT '{{}}',
        processed INTEGER NOT NULL DEFAULT 0,
        started TEXT NOT NULL,
        ended TEXT
    );
    CREATE INDEX runs_of_a_task ON task_runs (list, task);
    CREATE TABLE workers (
        id TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        process INTEGER NOT NULL,
        process_started {real} NOT NULL,
        version TEXT NOT NULL,
        lanes INTEGER NOT NULL,
        state TEXT NOT NULL,
        started TEXT NOT NULL,
        last_seen TEXT NOT NULL
    );
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        list TEXT NOT NULL,
        task TEXT NOT NULL,
        project TEXT NOT NULL,
        repository TEXT NOT NULL,
        base TEXT NOT NULL,
        content TEXT NOT NULL,
        config TEXT NOT NULL,
        status TEXT NOT NULL,
        token INTEGER NOT NULL DEFAULT 0,
        worker TEXT NOT NULL DEFAULT '',
        run TEXT NOT NULL DEFAULT '',
        result TEXT NOT NULL DEFAULT '',
        message TEXT NOT NULL DEFAULT '',
        cancelled INTEGER NOT NULL DEFAULT 0,
        deaths INTEGER NOT NULL DEFAULT 0,
        created TEXT NOT NULL,
        started TEXT,
        ended TEXT
    );
    CREATE INDEX jobs_of_a_list ON jobs (list, task);
    CREATE INDEX jobs_by_status ON jobs (status);
    """,
)
"""Applied in order, those that are missing in one transaction; `schema_version` counts them.

`runs.undone` is when files of the run were restored last; it cannot be resumed after that.
`runs.token` counts how often a process has claimed the run: only results of the latest one count.
`spending.cost_usd` is the reserved amount until the entry is closed, and the bill afterwards; its
`started` is in seconds since 1970. Every `process_started` is that of `platform.liveness`.
`runs.lane` is the folder that a run of a task list works in, and `runs.context` what it reads
beside its task; both are empty for other runs. `tasks.content` is the task as it was read,
`task_runs.detail` and `jobs.result` what came of a run, `jobs.content` the order: JSON objects.
`task_runs.processed` says that the merge queue is done with what the run has left, and `jobs.token`
counts how often a worker has claimed the job: only the result of the latest one counts.
`exposures.text_hash` is the hash of the rule's text as it was sent, and `witness` says how that is
known.

A transcript belongs to a family: the file of a session, and those of its subagents. What is stored
of a family (sessions, tasks, occurrences) is replaced whenever one of its files has changed. Texts
are masked. `transcripts.ids` are the ids of rows and messages that count for this file, and
`transcripts.reader` is the version of the reader; `sessions.tests` is the outcome of the last suite
run that could be read; `session_tasks.resolved` and `first_green` are null where no test ran.
"""

SQLITE: Final = {
    "real": "REAL",
    "bytes": "BLOB",
    "identity": "INTEGER PRIMARY KEY AUTOINCREMENT",
}
POSTGRES: Final = {
    "real": "DOUBLE PRECISION",
    "bytes": "BYTEA",
    "identity": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}
"""The names of the types in each database."""
