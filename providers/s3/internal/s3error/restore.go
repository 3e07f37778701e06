package s3error

const restoreHint = "the object is archived: restore it with storage.Restore first"
