-- One row for each upload in parts of a bucket without conditional writes. changed is
-- by the database's clock.
CREATE TABLE omnibucket_files_parts (
	state_key TEXT NOT NULL PRIMARY KEY,
	state     TEXT NOT NULL,
	revision  TEXT NOT NULL,
	changed   TEXT NOT NULL
) WITHOUT ROWID;
