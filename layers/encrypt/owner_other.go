//go:build !unix

package encrypt

import "io/fs"

// isForeign returns false, because this system has no user ids.
func isForeign(fs.FileInfo) bool { return false }
