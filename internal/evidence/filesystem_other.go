//go:build !unix

package evidence

import (
	"path/filepath"
	"strings"
)

// oneFileSystem reports whether two directories are on the same volume.
func oneFileSystem(a, b string) bool {
	return strings.EqualFold(filepath.VolumeName(nearestExisting(a)), filepath.VolumeName(nearestExisting(b)))
}
