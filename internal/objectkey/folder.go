package objectkey

import (
	"context"
	"strings"
)

type folderMarkerKey struct{}

// AllowFolderMarker returns a context in which the target of a copy may be a folder marker (see [IsFolderMarker]).
func AllowFolderMarker(ctx context.Context) context.Context {
	return context.WithValue(ctx, folderMarkerKey{}, true)
}

// Checked returns the part of key, the target of a copy, that must obey the rules of keys. That is
// the name of the folder if ctx comes from [AllowFolderMarker] and key is that of a folder marker,
// and otherwise the whole key.
func Checked(ctx context.Context, key string) string {
	if ctx.Value(folderMarkerKey{}) != nil && IsFolderMarker(key) {
		return strings.TrimSuffix(key, "/")
	}
	return key
}

// IsFolderMarker reports whether key is the name of a folder followed by "/". The name of the folder must
// itself be a key that the engine would write.
func IsFolderMarker(key string) bool {
	folder, ok := strings.CutSuffix(key, "/")
	return ok && WriteRule(folder) == "" && len(key) <= MaxBytes
}
