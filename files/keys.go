package files

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"

	"github.com/omnibucket/storage"
)

// key is where a file's bytes are. The extension decides the object's type as
// that of any key, and lets a person see what lies there.
func (k kind) key(r *Record) string { return k.bytes + r.ID + r.FileExt }

// id is false for an object that somebody else put there.
func (k kind) id(key string) (string, bool) {
	name := strings.TrimPrefix(key, k.bytes)
	if len(name) < idLength || validateID(name[:idLength]) != nil {
		return "", false
	}
	suffix := name[idLength:]
	return name[:idLength], suffix == "" || extension(suffix) == suffix
}

// removeBytes removes a file's bytes where no record tells their extension.
func (s *Store) removeBytes(ctx context.Context, k kind, id string) error {
	_, err := storage.RemoveMatching(ctx, s.bucket, nil, storage.WithPrefix(k.bytes+id))
	return err
}

// hasBytes is true for a file whose bytes are there.
func (s *Store) hasBytes(ctx context.Context, k kind, r *Record) (bool, error) {
	return s.bucket.Exists(ctx, k.key(r))
}

// uploadPrefix is where an upload in parts is: the hash makes a key of any token,
// and keeps users apart.
func (k kind) uploadPrefix(o *PartOptions) string {
	text := binary.AppendUvarint(nil, uint64(len(o.UploadedBy)))
	text = append(append(text, o.UploadedBy...), o.Token...)
	sum := sha256.Sum256(text)
	return k.parts + idText.EncodeToString(sum[:]) + "/"
}

const stateName = "upload.json"

// uploadOf is the prefix of the upload that a key belongs to, "" for an object
// that somebody else put there.
func (k kind) uploadOf(key string) string {
	name, _, found := strings.Cut(strings.TrimPrefix(key, k.parts), "/")
	if !found || len(name) != idText.EncodedLen(sha256.Size) {
		return ""
	}
	return k.parts + name + "/"
}
