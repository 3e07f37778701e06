CREATE TABLE omnibucket_files_migrations (
	version INTEGER NOT NULL PRIMARY KEY,
	applied TEXT    NOT NULL
);
CREATE TABLE omnibucket_files (
	id              TEXT    NOT NULL PRIMARY KEY,
	file_ext        TEXT    NOT NULL,
	mime_type       TEXT    NOT NULL,
	original_name   TEXT    NOT NULL,
	original_length INTEGER NOT NULL,
	uploaded_by     TEXT    NOT NULL,
	purpose         TEXT    NOT NULL,
	created         TEXT    NOT NULL,
	crc32c          INTEGER
) WITHOUT ROWID;
CREATE INDEX omnibucket_files_purpose ON omnibucket_files (purpose, id);
CREATE INDEX omnibucket_files_uploaded_by ON omnibucket_files (uploaded_by, id);
CREATE INDEX omnibucket_files_created ON omnibucket_files (created, id);
CREATE TABLE omnibucket_files_parts (
	state_key TEXT NOT NULL PRIMARY KEY,
	state     TEXT NOT NULL,
	revision  TEXT NOT NULL,
	changed   TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO omnibucket_files_migrations VALUES (1, '2026-11-30T17:39:17.255Z');
INSERT INTO omnibucket_files_migrations VALUES (2, '2026-11-30T17:39:17.262Z');
INSERT INTO omnibucket_files VALUES ('06h241ma01fes5fisdetn3cmvao5acm245s0', '.pdf', 'application/pdf', 'report.pdf', 7, 'user', 'reports', '2026-11-28T12:00:00.000Z', 9);
INSERT INTO omnibucket_files_parts VALUES ('uploads/1/state.json', '{"kind":"tus"}', 'E5ZW25PA2YW5BSSVCIAYD6JRIF', '2026-11-30T17:39:17.302Z');
