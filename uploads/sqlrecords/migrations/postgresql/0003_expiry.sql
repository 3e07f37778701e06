-- The key of the object, and when the file expires; NULL: never. An expiry is stored as created is.
ALTER TABLE omnibucket_files ADD COLUMN object_key TEXT NOT NULL DEFAULT '';

UPDATE omnibucket_files SET object_key = 'files/client/' || id || file_ext;

ALTER TABLE omnibucket_files ADD COLUMN expires TIMESTAMPTZ;

CREATE INDEX omnibucket_files_expires ON omnibucket_files (expires) WHERE expires IS NOT NULL;
