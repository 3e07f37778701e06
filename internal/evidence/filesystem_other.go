//go:build !unix

package evidence

import (
	"path/filepath"
	"strings"
)

// areOnOneFileSystem reports whether two directories are on the same volume.
func areOnOneFileSystem(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(nearestExisting(a)), filepath.VolumeName(nearestExisting(b)))
}
