-- Agent work that waits, runs, or has ended.
-- oldest-code: 1

-- attempt is the fence and only rises; retry_count counts failed tries. rank = created_at + priority * ageing, so the order
-- of the queue never has to be computed again: older work overtakes by itself. ready = this task's turn in its thread.
CREATE TABLE agent_tasks (
    task_id          text PRIMARY KEY,
    seq              bigint GENERATED ALWAYS AS IDENTITY,
    thread_id        text NOT NULL,
    user_id          text NOT NULL,
    agent_id         text NOT NULL DEFAULT '',
    session_id       text NOT NULL,
    status           text NOT NULL,
    ready            boolean NOT NULL,
    rank             double precision NOT NULL,
    priority         smallint NOT NULL,
    attempt          integer NOT NULL DEFAULT 0,
    retry_count      integer NOT NULL DEFAULT 0,
    max_attempts     integer NOT NULL,
    retry_at         double precision NOT NULL,
    expires_at       double precision NOT NULL,
    worker           text NOT NULL DEFAULT '',
    lease_until      double precision NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    request_payload  bytea NOT NULL,
    request_id       text NOT NULL DEFAULT '',
    created_at       double precision NOT NULL,
    updated_at       double precision NOT NULL,
    started_at       double precision,
    finished_at      double precision,
    last_error       text NOT NULL DEFAULT ''
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
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
