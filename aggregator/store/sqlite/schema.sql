-- The current schema. Times are INTEGER milliseconds since 1970 UTC, days are whole days since 1970, structures are JSON
-- text, keys are hashes. A test compares this file with a migrated database.

-- Sources: the configuration's columns, then what is known of the feed, its cache validators, its polls and errors.
CREATE TABLE sources (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    slug TEXT NOT NULL,
    host TEXT NOT NULL,
    configured INTEGER NOT NULL DEFAULT 1,
    section TEXT NOT NULL,
    more_sections TEXT NOT NULL,
    name TEXT,
    interval_ms INTEGER,
    weight REAL NOT NULL,
    enabled INTEGER NOT NULL,
    full_text INTEGER NOT NULL,
    role TEXT NOT NULL,
    in_latest INTEGER NOT NULL,
    fetch_url TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    home TEXT,
    info TEXT,
    etag TEXT,
    last_modified TEXT,
    body_hash BLOB,
    posting_rate TEXT,
    conditional TEXT,
    due_at INTEGER NOT NULL,
    lease_token INTEGER,
    last_poll INTEGER,
    last_success INTEGER,
    error_count INTEGER NOT NULL DEFAULT 0,
    error_since INTEGER,
    error_code TEXT,
    error_message TEXT,
    error_permanent INTEGER,
    moved_to TEXT,
    moved_since INTEGER,
    moved_count INTEGER NOT NULL DEFAULT 0,
    unstable_ids INTEGER NOT NULL DEFAULT 0,
    gone_since INTEGER,
    gone INTEGER NOT NULL DEFAULT 0,
    http_status INTEGER,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    duration_ms INTEGER,
    warnings TEXT,
    entries INTEGER NOT NULL DEFAULT 0,
    last_item INTEGER
) STRICT;
CREATE UNIQUE INDEX sources_url ON sources(url);
CREATE UNIQUE INDEX sources_slug ON sources(slug);
CREATE INDEX sources_host_due ON sources(host, due_at);
CREATE INDEX sources_not_in_latest ON sources(id) WHERE NOT in_latest;

-- Hosts: the unit of a lease. A host is claimed as a whole, so that it is never asked twice at a time.
CREATE TABLE hosts (
    host TEXT PRIMARY KEY,
    due_at INTEGER,
    token INTEGER NOT NULL DEFAULT 0,
    leased_until INTEGER NOT NULL DEFAULT 0,
    free_at INTEGER NOT NULL DEFAULT 0,
    parked_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX hosts_due ON hosts(due_at);

-- New items of a source by day.
CREATE TABLE source_days (
    source_id INTEGER NOT NULL,
    day INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (source_id, day)
) STRICT, WITHOUT ROWID;

-- Polls of a source by day.
CREATE TABLE poll_days (
    source_id INTEGER NOT NULL,
    day INTEGER NOT NULL,
    ok INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    PRIMARY KEY (source_id, day)
) STRICT, WITHOUT ROWID;

-- Items: what readers see. The columns from source_id to pinned_until are derived from the item's entries. `language`
-- is set when the item is curated: without region, '' where none is known.
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    public_id INTEGER NOT NULL,
    lead_id INTEGER,
    source_id INTEGER,
    section TEXT,
    more_sections TEXT NOT NULL DEFAULT '[]',
    published INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    shown INTEGER NOT NULL DEFAULT 0,
    live INTEGER NOT NULL DEFAULT 1,
    merged_into INTEGER,
    story_id INTEGER,
    story_figures TEXT,
    text_key BLOB,
    revision INTEGER NOT NULL DEFAULT 0,
    curated INTEGER NOT NULL DEFAULT 0,
    sources INTEGER NOT NULL DEFAULT 1,
    citations INTEGER NOT NULL DEFAULT 0,
    boost REAL NOT NULL DEFAULT 1.0,
    pinned_until INTEGER,
    views INTEGER NOT NULL DEFAULT 0,
    likes INTEGER NOT NULL DEFAULT 0,
    impressions REAL NOT NULL DEFAULT 0,
    language TEXT
) STRICT;
CREATE UNIQUE INDEX items_public_id ON items(public_id);
CREATE INDEX items_latest ON items(published, public_id) WHERE shown;
CREATE INDEX items_section ON items(section, published, public_id) WHERE shown;
CREATE INDEX items_more_sections ON items(published, public_id) WHERE shown AND more_sections <> '[]';
CREATE INDEX items_language ON items(language, published, public_id) WHERE shown;
CREATE INDEX items_seen ON items(first_seen) WHERE shown;
CREATE INDEX items_unshown ON items(published) WHERE live AND NOT shown;
CREATE INDEX items_pending ON items(published, id) WHERE shown AND revision <> curated;
CREATE INDEX items_source ON items(source_id);
CREATE INDEX items_story ON items(story_id) WHERE story_id IS NOT NULL;
CREATE INDEX items_merged ON items(merged_into) WHERE merged_into IS NOT NULL;

-- Entries: one thing as one source published it. home_id is the item that an entry had before a merge.
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES sources(id),
    entry_key BLOB NOT NULL,
    item_id INTEGER REFERENCES items(id),
    home_id INTEGER,
    entry_id TEXT NOT NULL,
    id_basis TEXT NOT NULL,
    guid TEXT,
    guid_key BLOB,
    canonical_url TEXT,
    link_key BLOB,
    title_key BLOB,
    number_key BLOB,
    title TEXT NOT NULL,
    url TEXT,
    published INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    revision INTEGER NOT NULL DEFAULT 0,
    content_hash BLOB NOT NULL,
    text_key BLOB,
    tombstone INTEGER NOT NULL DEFAULT 0,
    rule TEXT NOT NULL DEFAULT 'first',
    figures TEXT,
    dropped TEXT,
    boost REAL NOT NULL DEFAULT 1.0,
    pin_ms INTEGER,
    section TEXT,
    author TEXT,
    language TEXT,
    image_url TEXT,
    image_width INTEGER,
    categories TEXT,
    enclosures TEXT,
    outlinks TEXT,
    upstream_comments INTEGER,
    upstream_views INTEGER,
    upstream_votes INTEGER,
    text TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE UNIQUE INDEX entries_key ON entries(source_id, entry_key);
CREATE INDEX entries_item ON entries(item_id);
CREATE INDEX entries_link ON entries(link_key, source_id) WHERE link_key IS NOT NULL;
CREATE INDEX entries_guid ON entries(source_id, guid_key) WHERE guid_key IS NOT NULL;
CREATE INDEX entries_title ON entries(source_id, title_key) WHERE title_key IS NOT NULL;
CREATE INDEX entries_number ON entries(source_id, number_key) WHERE number_key IS NOT NULL;

-- Links from entries to other addresses: each source that links to an item is one vote for it.
CREATE TABLE outlinks (
    link_key BLOB NOT NULL,
    source_id INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    PRIMARY KEY (link_key, source_id, entry_id)
) STRICT, WITHOUT ROWID;

-- Large texts apart, so that listings do not read past them.
CREATE TABLE bodies (
    entry_id INTEGER PRIMARY KEY,
    html BLOB NOT NULL
) STRICT;

-- Full text by entry, without a copy of the text: what is taken out is computed again from the entry's columns.
CREATE VIRTUAL TABLE search_index USING fts5(words, tokenize = 'unicode61 remove_diacritics 2', content = '');

-- What curating has decided: stories, related items, and the lists as they were last made.
CREATE TABLE stories (
    id INTEGER PRIMARY KEY,
    moved_at INTEGER NOT NULL,
    sources INTEGER NOT NULL,
    coverage INTEGER NOT NULL,
    merged_into INTEGER
) STRICT;
CREATE INDEX stories_moved ON stories(moved_at);
CREATE INDEX stories_merged ON stories(merged_into) WHERE merged_into IS NOT NULL;
CREATE TABLE related (
    item_id INTEGER NOT NULL,
    other_id INTEGER NOT NULL,
    score REAL NOT NULL,
    tier TEXT NOT NULL DEFAULT 'related',
    PRIMARY KEY (item_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE lists (
    key TEXT PRIMARY KEY,
    computed_at INTEGER NOT NULL,
    since INTEGER,
    until INTEGER,
    compared_at INTEGER,
    basis TEXT NOT NULL,
    places TEXT NOT NULL
) STRICT;

-- Merges that may be wrong (an edit of any of their texts is noted by the trigger), and those that were undone.
CREATE TABLE doubts (
    item_id INTEGER PRIMARY KEY,
    n INTEGER NOT NULL
) STRICT;
CREATE TABLE undone (
    item_id INTEGER NOT NULL,
    restored INTEGER NOT NULL,
    merged TEXT,
    figures TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (item_id, restored)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_doubted AFTER UPDATE OF text_key ON entries
WHEN old.text_key IS NOT new.text_key AND NOT new.tombstone BEGIN
    INSERT INTO doubts(item_id, n)
    SELECT new.item_id, 1 WHERE EXISTS (SELECT 1 FROM entries WHERE item_id = new.item_id AND home_id IS NOT NULL)
    ON CONFLICT(item_id) DO UPDATE SET n = n + 1;
END;

-- Readers: views by hour bucket, who has been counted today, likes, private feeds and what was opened through them.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT;
INSERT INTO counters(name, value) VALUES ('generation', 1), ('views', 0);
CREATE TABLE buckets (
    bucket INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (bucket, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX buckets_item ON buckets(item_id, bucket, n);
-- How often items were shown to readers, weighted by place, by hour since 1970.
CREATE TABLE impressions (
    hour INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    weight REAL NOT NULL,
    PRIMARY KEY (hour, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX impressions_item ON impressions(item_id);
CREATE TABLE visitors (
    day INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    visitor BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (day, item_id, visitor)
) STRICT, WITHOUT ROWID;
CREATE INDEX visitors_item ON visitors(item_id);
CREATE TABLE likes (
    item_id INTEGER NOT NULL,
    visitor BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (item_id, visitor)
) STRICT, WITHOUT ROWID;
CREATE TABLE marks (
    mark TEXT PRIMARY KEY NOT NULL,
    n INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE readers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    token TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX readers_name ON readers(name);
CREATE UNIQUE INDEX readers_token ON readers(token);
CREATE TABLE opened (
    reader_id INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (reader_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX opened_item ON opened(item_id);
-- What readers have read and starred through the Google Reader API.
CREATE TABLE reader_states (
    reader_id INTEGER NOT NULL,
    item_id INTEGER NOT NULL,
    is_read INTEGER NOT NULL,
    is_starred INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (reader_id, item_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reader_states_item ON reader_states(item_id);
-- Values that stay as they were first written: the authority of the ids of feeds, digests and where they were sent.
CREATE TABLE minted (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- How far each log of views has been folded into the counts.
CREATE TABLE folded (
    log_id BLOB PRIMARY KEY,
    "offset" INTEGER NOT NULL
) STRICT;

-- The fleet: who holds a role that only one process may have, and which processes live.
CREATE TABLE roles (
    name TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
CREATE TABLE processes (
    id TEXT PRIMARY KEY,
    roles TEXT NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    started INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;
-- Texts that all processes go by: the applied configuration, lists of feeds.
CREATE TABLE documents (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
-- Who may send a request to which address now.
CREATE TABLE address_slots (
    address TEXT PRIMARY KEY,
    token INTEGER NOT NULL,
    held_until INTEGER NOT NULL,
    free_at INTEGER NOT NULL
) STRICT;

-- WebSub: who subscribes at our hub, and our subscriptions at the hubs of sources.
CREATE TABLE hub_subscribers (
    topic TEXT NOT NULL,
    callback TEXT NOT NULL,
    told TEXT NOT NULL,
    secret BLOB,
    until INTEGER,
    failures INTEGER NOT NULL,
    retry_at INTEGER,
    PRIMARY KEY (topic, callback)
) STRICT, WITHOUT ROWID;
CREATE TABLE pushes (
    token TEXT PRIMARY KEY NOT NULL,
    source_id INTEGER NOT NULL,
    hub TEXT NOT NULL,
    topic TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    secret TEXT,
    until INTEGER,
    renew_at INTEGER,
    verified_at INTEGER,
    delivered_at INTEGER,
    failures INTEGER NOT NULL,
    retry_at INTEGER
) STRICT, WITHOUT ROWID;

-- The change log that candidates are followed by: written by triggers, so by whoever writes. `edited` marks changes
-- that rules could judge differently. The triggers on updated items and entries are made by ``change_triggers.py``.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    item_id INTEGER,
    source_id INTEGER,
    edited INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TRIGGER changes_item_new AFTER INSERT ON items WHEN new.shown BEGIN
    INSERT INTO changes(item_id) VALUES (new.id);
END;
CREATE TRIGGER changes_story_new AFTER INSERT ON stories WHEN new.coverage > 1 BEGIN
    INSERT INTO changes(item_id) SELECT id FROM items WHERE story_id = new.id AND shown;
END;
CREATE TRIGGER changes_story AFTER UPDATE OF coverage ON stories WHEN old.coverage <> new.coverage BEGIN
    INSERT INTO changes(item_id) SELECT id FROM items WHERE story_id = new.id AND shown;
END;
CREATE TRIGGER changes_source AFTER UPDATE OF weight ON sources WHEN old.weight <> new.weight BEGIN
    INSERT INTO changes(item_id) SELECT id FROM items WHERE source_id = new.id AND shown;
END;
-- Before a source's first successful poll no item has been shown under another name.
CREATE TRIGGER changes_source_name AFTER UPDATE OF name, title ON sources
WHEN old.last_success IS NOT NULL
    AND coalesce(old.name, nullif(old.title, '')) IS NOT coalesce(new.name, nullif(new.title, ''))
BEGIN
    INSERT INTO changes(item_id, edited) SELECT id, 1 FROM items WHERE source_id = new.id AND shown;
END;
CREATE TRIGGER changes_day_new AFTER INSERT ON source_days BEGIN
    INSERT INTO changes(source_id) VALUES (new.source_id);
END;
CREATE TRIGGER changes_day AFTER UPDATE ON source_days BEGIN
    INSERT INTO changes(source_id) VALUES (new.source_id);
END;
