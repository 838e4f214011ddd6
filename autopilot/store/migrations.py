"""The tables, step by step."""

from __future__ import annotations

TABLES = """
CREATE TABLE quotes (
    id INTEGER PRIMARY KEY,
    seen_at TEXT NOT NULL, network TEXT NOT NULL, market TEXT NOT NULL, device TEXT NOT NULL, model TEXT NOT NULL,
    as_of TEXT, expires TEXT, gross_nanos INTEGER, idle_nanos INTEGER, occupancy_ppb INTEGER, expected_nanos INTEGER,
    basis TEXT, source TEXT, detail TEXT, reason TEXT
) STRICT;
CREATE INDEX quotes_by_time ON quotes (seen_at);
CREATE TABLE rates (
    network TEXT NOT NULL, gpu TEXT NOT NULL, hour TEXT NOT NULL,
    usd_per_hour_nanos INTEGER, occupancy_ppb INTEGER, idle_nanos INTEGER, job_seconds INTEGER, market TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (network, market, gpu, hour)
) STRICT, WITHOUT ROWID;
CREATE TABLE contexts (hash TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL, strategy TEXT NOT NULL, context TEXT NOT NULL REFERENCES contexts (hash),
    decision TEXT NOT NULL, vetoes TEXT NOT NULL
) STRICT;
CREATE TABLE switches (
    id TEXT PRIMARY KEY, plan TEXT NOT NULL, device TEXT NOT NULL,
    source_network TEXT NOT NULL, source_market TEXT NOT NULL, target_network TEXT NOT NULL, target_market TEXT NOT NULL,
    state TEXT NOT NULL, since TEXT NOT NULL, opened_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_open_switch_a_device ON switches (device)
    WHERE state NOT IN ('settled', 'reverted', 'stranded');
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL, switch TEXT NOT NULL REFERENCES switches (id), before TEXT NOT NULL, after TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
CREATE TABLE placements (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL, device TEXT NOT NULL, network TEXT NOT NULL, market TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
CREATE TABLE fences (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL, device TEXT NOT NULL, why TEXT NOT NULL, lifted_at TEXT
) STRICT;
CREATE TABLE ledger (
    kind TEXT NOT NULL, network TEXT NOT NULL, market TEXT NOT NULL, device TEXT NOT NULL, hour TEXT NOT NULL, ref TEXT NOT NULL,
    start TEXT NOT NULL, "end" TEXT NOT NULL, micros INTEGER NOT NULL, amount_nanos INTEGER NOT NULL, basis TEXT NOT NULL,
    PRIMARY KEY (kind, network, market, device, hour, ref)
) STRICT, WITHOUT ROWID;
CREATE TABLE sentences (device TEXT PRIMARY KEY, at TEXT NOT NULL, sentence TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at TEXT NOT NULL, started_at TEXT NOT NULL, pid INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
"""

EXPERIENCE = """
CREATE TABLE hires (
    id INTEGER PRIMARY KEY,
    seen_at TEXT NOT NULL, device TEXT NOT NULL, network TEXT NOT NULL, market TEXT NOT NULL, lease TEXT NOT NULL,
    since TEXT, ended TEXT
) STRICT;
CREATE INDEX running_hires ON hires (device) WHERE ended IS NULL;
CREATE TABLE tallies (
    network TEXT NOT NULL, market TEXT NOT NULL, device TEXT NOT NULL, model TEXT NOT NULL, at TEXT NOT NULL,
    hires REAL NOT NULL, expected REAL NOT NULL, jobs REAL NOT NULL, hours REAL NOT NULL,
    PRIMARY KEY (network, market, device)
) STRICT, WITHOUT ROWID;
CREATE TABLE odds (
    network TEXT NOT NULL, market TEXT NOT NULL, model TEXT NOT NULL, as_of TEXT NOT NULL,
    mean REAL NOT NULL, spread REAL NOT NULL, moved REAL NOT NULL, noise REAL NOT NULL, bias REAL NOT NULL,
    moved_variance REAL NOT NULL, noise_variance REAL NOT NULL, bias_variance REAL NOT NULL,
    moved_noise REAL NOT NULL, moved_bias REAL NOT NULL, noise_bias REAL NOT NULL,
    hires REAL NOT NULL, waited REAL NOT NULL,
    PRIMARY KEY (network, market, model)
) STRICT, WITHOUT ROWID;
ALTER TABLE decisions ADD COLUMN experience TEXT;
"""

LESSONS = """
CREATE TABLE lessons (
    id INTEGER PRIMARY KEY,
    cut_at TEXT NOT NULL, at TEXT NOT NULL, strategy TEXT NOT NULL, base INTEGER REFERENCES lessons (id),
    known INTEGER NOT NULL, entries TEXT NOT NULL
) STRICT;
ALTER TABLE decisions ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN lesson INTEGER REFERENCES lessons (id);
UPDATE decisions SET known = until.known FROM (
    SELECT decision, max(answer) OVER (ORDER BY at, decision IS NOT NULL ROWS UNBOUNDED PRECEDING) AS known FROM (
        SELECT seen_at AS at, id AS answer, NULL AS decision FROM quotes UNION ALL SELECT at, 0, id FROM decisions
    )
) AS until WHERE until.decision = decisions.id;
"""

NATIVE = """
ALTER TABLE ledger ADD COLUMN token TEXT;
ALTER TABLE ledger ADD COLUMN token_amount TEXT;
ALTER TABLE ledger ADD COLUMN usd_per_token TEXT;
"""

WISHES = """
CREATE TABLE wishes (
    id INTEGER PRIMARY KEY,
    made_at TEXT NOT NULL, kind TEXT NOT NULL, device TEXT, network TEXT, market TEXT, until TEXT,
    ended_at TEXT, outcome TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX standing_wishes ON wishes (id) WHERE ended_at IS NULL;
CREATE INDEX ledger_by_hour ON ledger (hour);
"""

POWER = """
CREATE TABLE power_prices (hour TEXT PRIMARY KEY, usd_per_kwh_nanos INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE draws (
    network TEXT NOT NULL, market TEXT NOT NULL, model TEXT NOT NULL, milliwatts REAL NOT NULL, hours REAL NOT NULL,
    PRIMARY KEY (network, market, model)
) STRICT, WITHOUT ROWID;
"""

SWITCHES = """
ALTER TABLE switches ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE switches ADD COLUMN told_seconds REAL;
DROP INDEX one_open_switch_a_device;
CREATE UNIQUE INDEX one_open_switch_a_device ON switches (device)
    WHERE state NOT IN ('settled', 'reverted', 'cleared', 'stranded');
CREATE INDEX events_by_switch ON events (switch);
"""

POWER_LIMITS = """
CREATE TABLE power_limits (
    device TEXT PRIMARY KEY, before_milliwatts INTEGER NOT NULL, ours_milliwatts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

TOLD = """
CREATE TABLE told (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL) STRICT;
"""

OWNERS = """
CREATE TABLE owners (device TEXT PRIMARY KEY, at TEXT NOT NULL, programs TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""

PAYOUTS = """
CREATE INDEX ledger_by_ref ON ledger (ref, network, kind) WHERE ref <> '';
"""

TIPS = """
CREATE TABLE tips (at TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX switches_by_device ON switches (device, opened_at);
CREATE INDEX ledger_in_tokens ON ledger (kind, "end", ref) WHERE token IS NOT NULL;
"""

MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("first_flight", TABLES),
    ("experience", EXPERIENCE),
    ("lessons", LESSONS),
    ("native", NATIVE),
    ("power", POWER),
    ("wishes", WISHES),
    ("switches", SWITCHES),
    ("power_limits", POWER_LIMITS),
    ("told", TOLD),
    ("owners", OWNERS),
    ("payouts", PAYOUTS),
    ("tips", TIPS),
)
"""Name and statements, in order. A name that was once released is never changed or removed."""
