package files

import (
	"context"
	"strings"

	"github.com/omnibucket/storage"
)

// key returns the key of a file's bytes. The extension determines the object's type,
// as for any key, and shows a person what the object is.
func (k kind) key(r *Record) string { return k.bytes + r.ID + r.FileExt }

// id returns false for an object that this package did not write.
func (k kind) id(key string) (string, bool) {
	name := strings.TrimPrefix(key, k.bytes)
	if len(name) < idLength || validateID(name[:idLength]) != nil {
		return "", false
	}
	suffix := name[idLength:]
	return name[:idLength], suffix == "" || extension(suffix) == suffix
}

// removeBytes removes a file's bytes if no record says their extension.
func (s *Store) removeBytes(ctx context.Context, k kind, id string) error {
	_, err := storage.RemoveMatching(ctx, s.bucket, nil, storage.WithPrefix(k.bytes+id))
	return err
}

// hasBytes reports whether the file's bytes exist.
func (s *Store) hasBytes(ctx context.Context, k kind, r *Record) (bool, error) {
	return s.bucket.Exists(ctx, k.key(r))
}
