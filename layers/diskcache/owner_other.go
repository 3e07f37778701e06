//go:build !unix

package diskcache

import "io/fs"

func isForeign(fs.FileInfo) bool { return false }
