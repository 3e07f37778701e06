-- One row for each client file. created is UTC, to the millisecond, in ISO 8601:
-- its order is that of the text.
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
