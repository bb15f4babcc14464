package sqlite

// One letter says what the state of a job is, so that a change of state is written
// over the old one and no page splits. Active is no letter of job: a claimed job is
// still a 'q' there, and has a row in active instead of one in ready. So a claim
// leaves the wide table alone.
//
// job.changed is when the state became what it is. job.progress says where
// recipients, reason and last reply are: 'n' all as they were put, 'a' all accepted
// by the latest attempt in history, 'p' in the table progress.
//
// job_apart finds the few jobs that people look for among the many that wait or were
// sent. Who wants it to be used repeats its condition word by word.
//
// done.kind is 0 for jobs that were sent and have their body still, 1 for those
// that were sent and have not, 2 for other finished ones.
const schema1 = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('next', 1);

CREATE TABLE lane(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
	paused INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '');

CREATE TABLE job(id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, state TEXT NOT NULL, rank INTEGER NOT NULL,
	due INTEGER NOT NULL, expires INTEGER NOT NULL, created INTEGER NOT NULL, changed INTEGER NOT NULL,
	attempts INTEGER NOT NULL, doubt INTEGER NOT NULL, entries INTEGER NOT NULL, progress TEXT NOT NULL,
	body INTEGER NOT NULL, size INTEGER NOT NULL, policy INTEGER NOT NULL,
	message_id TEXT, key TEXT, sum INTEGER NOT NULL, doc BLOB NOT NULL);
CREATE INDEX job_apart ON job(state, id) WHERE state IN ('c', 'e', 'f', 'h');

CREATE TABLE ready(lane INTEGER, rank INTEGER, due INTEGER, id INTEGER,
	PRIMARY KEY(lane, rank, due, id)) WITHOUT ROWID;
CREATE TABLE active(id INTEGER PRIMARY KEY, lane INTEGER NOT NULL, nonce INTEGER NOT NULL, begun INTEGER NOT NULL,
	expires INTEGER NOT NULL);
CREATE TABLE expiry(expires INTEGER, id INTEGER, PRIMARY KEY(expires, id)) WITHOUT ROWID;
CREATE TABLE done(kind INTEGER, at INTEGER, id INTEGER, PRIMARY KEY(kind, at, id)) WITHOUT ROWID;

CREATE TABLE progress(id INTEGER PRIMARY KEY, doc BLOB NOT NULL);
CREATE TABLE history(id INTEGER, n INTEGER, doc BLOB NOT NULL, PRIMARY KEY(id, n)) WITHOUT ROWID;

CREATE TABLE octets(id INTEGER PRIMARY KEY, size INTEGER NOT NULL, sum INTEGER NOT NULL, hash BLOB, data BLOB);
CREATE INDEX octets_hash ON octets(hash) WHERE hash IS NOT NULL;
CREATE TABLE shared(body INTEGER PRIMARY KEY, jobs INTEGER NOT NULL);

CREATE TABLE idem(lane INTEGER, key TEXT, id INTEGER NOT NULL, print BLOB NOT NULL,
	PRIMARY KEY(lane, key)) WITHOUT ROWID;
CREATE INDEX idem_id ON idem(id);

CREATE TABLE tally(lane INTEGER, state TEXT, n INTEGER NOT NULL, PRIMARY KEY(lane, state)) WITHOUT ROWID;
CREATE TABLE touched(lane INTEGER PRIMARY KEY);
`

// migrations lead from each version of the schema to the next; the first one, from
// an empty database. They are never changed, only added to.
var migrations = []string{schema1}

const (
	// applicationID marks the file as ours, for file(1) and for Open: "KZQU".
	applicationID = 0x4b5a5155
	pageSize      = 8 << 10
)
