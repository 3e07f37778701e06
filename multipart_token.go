package storage

// errOtherUpload returns the error of a token of another bucket, or of a key outside of the prefix.
func errOtherUpload() *Error { return invalid("token", "must be of an upload to this bucket") }
