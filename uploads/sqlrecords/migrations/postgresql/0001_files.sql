-- One row for each client file. Identifiers are compared byte by byte, whatever
-- the database's own collation.
CREATE TABLE omnibucket_files (
	id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
	file_ext        TEXT        NOT NULL,
	mime_type       TEXT        NOT NULL,
	original_name   TEXT        NOT NULL,
	original_length BIGINT      NOT NULL,
	uploaded_by     TEXT        NOT NULL,
	purpose         TEXT        NOT NULL,
	created         TIMESTAMPTZ NOT NULL,
	crc32c          BIGINT
);

CREATE INDEX omnibucket_files_purpose ON omnibucket_files (purpose, id);

CREATE INDEX omnibucket_files_uploaded_by ON omnibucket_files (uploaded_by, id);

CREATE INDEX omnibucket_files_created ON omnibucket_files (created, id);
