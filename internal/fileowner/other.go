//go:build !unix

package fileowner

import "io/fs"

// IsForeign returns false, because this system has no user ids.
func IsForeign(fs.FileInfo) bool { return false }
