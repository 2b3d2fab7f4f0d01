-- Agent work that waits, runs, or has ended.
-- oldest-code: 1

-- attempt is the fence and only rises; retry_count counts failed tries. rank = created_at + priority * ageing, so the order
-- of the queue never has to be computed again: older work overtakes by itself. ready = this task's turn in its thread.
CREATE TABLE agent_tasks (
    seq              INTEGER PRIMARY KEY,
    task_id          TEXT NOT NULL UNIQUE,
    thread_id        TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    agent_id         TEXT NOT NULL DEFAULT '',
    session_id       TEXT NOT NULL,
    status           TEXT NOT NULL,
    ready            INTEGER NOT NULL,
    rank             REAL NOT NULL,
    priority         INTEGER NOT NULL,
    attempt          INTEGER NOT NULL DEFAULT 0,
    retry_count      INTEGER NOT NULL DEFAULT 0,
    max_attempts     INTEGER NOT NULL,
    retry_at         REAL NOT NULL,
    expires_at       REAL NOT NULL,
    worker           TEXT NOT NULL DEFAULT '',
    lease_until      REAL NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    request_payload  BLOB NOT NULL,
    request_id       TEXT NOT NULL DEFAULT '',
    created_at       REAL NOT NULL,
    updated_at       REAL NOT NULL,
    started_at       REAL,
    finished_at      REAL,
    last_error       TEXT NOT NULL DEFAULT ''
);
-- What a claim reads, in the order in which it reads it.
CREATE INDEX agent_tasks_claimable ON agent_tasks (rank, seq) WHERE status = 'pending' AND ready;
-- At most one task of a thread has its turn: also the guard against two of them running.
CREATE UNIQUE INDEX agent_tasks_turn ON agent_tasks (thread_id) WHERE ready AND thread_id <> '';
CREATE INDEX agent_tasks_in_line ON agent_tasks (thread_id, seq) WHERE NOT ready AND status IN ('pending', 'retry');
-- Few rows at any time, so looking for ended leases scans it; lease_until itself stays out, a heartbeat changes no index.
CREATE INDEX agent_tasks_running ON agent_tasks (seq) WHERE status = 'running';
CREATE INDEX agent_tasks_due ON agent_tasks (retry_at) WHERE status = 'retry';
CREATE INDEX agent_tasks_overdue ON agent_tasks (expires_at) WHERE status IN ('pending', 'retry');
CREATE INDEX agent_tasks_of_session ON agent_tasks (session_id, seq) WHERE session_id <> '';
CREATE INDEX agent_tasks_finished ON agent_tasks (status, finished_at) WHERE finished_at IS NOT NULL;
