// Package markerkey tells the key of the marker of a folder: an object, mostly an empty one, whose key ends in "/", as
// consoles and rclone store it. The core writes no other object with such a key (rule K1).
package markerkey

import (
	"strings"

	"github.com/omnibucket/storage/internal/keyrule"
)

// Is reports whether a key is that of the marker of a folder whose name the core would write.
func Is(key string) bool {
	folder, ok := strings.CutSuffix(key, "/")
	return ok && keyrule.Write(folder) == "" && len(key) <= keyrule.MaxBytes
}
