package files

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// clockKey is an object that is written to see what time the store has.
const clockKey = "files/clock"

// key is where a file's bytes are. The extension decides the object's type as
// that of any key, and lets a person see what lies there.
func (k kind) key(r *Record) string { return k.bytes + r.ID + r.FileExt }

// id is false for an object that somebody else put there.
func (k kind) id(key string) (string, bool) {
	name := strings.TrimPrefix(key, k.bytes)
	if len(name) < idLength || checkID(name[:idLength]) != nil {
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

// storeTime is now, by the clock that Attrs.Modified is of.
func (s *Store) storeTime(ctx context.Context) (time.Time, error) {
	if _, err := s.bucket.Upload(ctx, clockKey, strings.NewReader(""), storage.WithContentType("text/plain")); err != nil {
		return time.Time{}, err
	}
	attrs, err := s.bucket.Attrs(ctx, clockKey)
	if err != nil {
		return time.Time{}, err
	}
	if attrs.Modified.IsZero() {
		return time.Time{}, &storage.Error{Code: storage.Internal, Key: clockKey, Err: errors.New("the store does not say when it was written")}
	}
	return attrs.Modified, nil
}

// A waiter waits, or until ctx is done.
type waiter func(ctx context.Context, d time.Duration) error

// uploadOf is the prefix of the upload that a key belongs to, "" for an object
// that somebody else put there.
func (k kind) uploadOf(key string) string {
	name, _, found := strings.Cut(strings.TrimPrefix(key, k.parts), "/")
	if !found || len(name) != idText.EncodedLen(sha256.Size) {
		return ""
	}
	return k.parts + name + "/"
}
