// Package markerkey lets a layer copy the marker of a folder. Consoles and rclone store such markers: objects, mostly
// empty, whose keys end in "/". The core writes no other object with such a key (rule K1).
package markerkey

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/internal/keyrule"
)

type allowedKey struct{}

// Allow returns a context in which a copy may have a key for which [Is] returns true.
func Allow(ctx context.Context) context.Context { return context.WithValue(ctx, allowedKey{}, true) }

// Checked returns the part of the key of a copy that the rules of keys must permit: the key, or the name of the
// folder whose marker it is, if the context allows that.
func Checked(ctx context.Context, key string) string {
	if ctx.Value(allowedKey{}) != nil && Is(key) {
		return strings.TrimSuffix(key, "/")
	}
	return key
}

// Is reports whether a key is that of the marker of a folder whose name the core would write.
func Is(key string) bool {
	folder, ok := strings.CutSuffix(key, "/")
	return ok && keyrule.Write(folder) == "" && len(key) <= keyrule.MaxBytes
}
