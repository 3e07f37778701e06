// Package markerkey permits a layer to copy folder markers. Consoles and rclone store such markers
// for folders: objects, mostly empty, whose keys end in "/". The engine refuses to write any other
// object with such a key (rule K1).
package markerkey

import (
	"context"
	"strings"

	"github.com/omnibucket/storage/internal/keyrule"
)

type allowedKey struct{}

// Allow returns a context in which the target of a copy may be a folder marker (see [Is]).
func Allow(ctx context.Context) context.Context { return context.WithValue(ctx, allowedKey{}, true) }

// Checked returns the part of key that must obey the rules of keys. key is the target of a copy. If
// ctx comes from [Allow] and key is that of a folder marker, this part is the name of the folder.
// Otherwise it is the whole key.
func Checked(ctx context.Context, key string) string {
	if ctx.Value(allowedKey{}) != nil && Is(key) {
		return strings.TrimSuffix(key, "/")
	}
	return key
}

// Is reports whether key is the name of a folder followed by "/". The name of the folder must
// itself be a key that the engine would write.
func Is(key string) bool {
	folder, ok := strings.CutSuffix(key, "/")
	return ok && keyrule.Write(folder) == "" && len(key) <= keyrule.MaxBytes
}
