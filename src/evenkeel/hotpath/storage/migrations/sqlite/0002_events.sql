-- What sessions said: immutable rows, one head per session, and posts that wait for a session's writer.
-- oldest-code: 1

-- WITHOUT ROWID: rows lie in the order in which they are read, and an insert touches one tree, not two.
CREATE TABLE stream_events (
    session_id   TEXT NOT NULL,
    event_id     INTEGER NOT NULL,
    user_id      TEXT NOT NULL,
    payload      BLOB NOT NULL,
    created_time REAL NOT NULL,
    PRIMARY KEY (session_id, event_id)
) WITHOUT ROWID;

-- reserved_to: the highest id that may have been shown to anyone; closed_id: the last id of the term that was closed in
-- order (so a repeated close is recognised); pruned_to: everything up to here was removed by age.
CREATE TABLE event_streams (
    session_id   TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL,
    epoch        INTEGER NOT NULL,
    term         INTEGER NOT NULL,
    open         INTEGER NOT NULL,
    reserved_to  INTEGER NOT NULL,
    closed_id    INTEGER NOT NULL DEFAULT 0,
    pruned_to    INTEGER NOT NULL DEFAULT 0,
    oldest_time  REAL,
    updated_time REAL NOT NULL
) WITHOUT ROWID;
-- Age is found per session, so no event row carries an index entry for it.
CREATE INDEX event_streams_by_age ON event_streams (oldest_time) WHERE oldest_time IS NOT NULL;

CREATE TABLE stream_posts (
    post_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id   TEXT NOT NULL,
    payload      BLOB NOT NULL,
    created_time REAL NOT NULL
);
CREATE INDEX stream_posts_of_session ON stream_posts (session_id, post_id);
