"""Define the tables of the database, the same in SQLite and Postgres.

Times are ISO 8601 with a time zone, money is in US dollars, `book` is the real path of a rulebook's
file, and attempt 0 of a run is its baseline.
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
)
"""Applied in order, those that are missing in one transaction; `schema_version` counts them.

`runs.undone` is when files of the run were restored last; it cannot be resumed after that.
`runs.token` counts how often a process has claimed the run: only results of the latest one count.
`spending.cost_usd` is the reserved amount until the entry is closed, and the bill afterwards; its
`started` is in seconds since 1970. Every `process_started` is that of `platform.liveness`.
`exposures.text_hash` is the hash of the rule's text as it was sent, and `witness` says how that is
known.
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
