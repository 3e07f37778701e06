// Package certmagic stores the certificates, keys and accounts of CertMagic or Caddy in any
// [storage.Bucket]. Several servers can share the bucket.
//
//	s, err := certmagic.New(storage.Prefixed(bucket, "tls/"))
//	config.Storage = s // a certmagic.Config
//
// The objects contain private keys. Encrypt them with layers/encrypt, or make sure that nobody else
// can read the bucket.
//
// # Locks
//
// A lock is a lease of package lease, below "locks/". If the holder of a lock dies, another server
// takes the lock 15 seconds after it last saw a renewal. The clocks of two machines are never
// compared. For this reason there is no TryLock, and CertMagic calls Lock instead.
//
// # What differs from FileStorage
//
//   - A folder exists as long as there is a key below it. The empty object "folder/", which
//     consoles and rclone store as a folder marker, is enough.
//   - If the store permits it, the same name may be both a key with a value and a folder.
//   - If the store cannot be reached, Exists returns false.
//   - List returns keys in byte order.
//   - Delete and Stat fail for the empty key, so that Delete cannot remove everything.
package certmagic

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// A Storage implements CertMagic's storage in a bucket. Its methods may be called concurrently.
type Storage struct {
	bucket storage.ReadWriter
	mu     sync.Mutex
	held   map[string][]*lease.Lease // maps the name of a lock to its leases, oldest first
}

var _ certmagic.Storage = (*Storage)(nil)

// New returns a Storage in b, without making a request. It fails with InvalidArgument if b is nil, and
// with Unsupported if b lacks conditional writes, which locks need.
func New(b storage.ReadWriter) (*Storage, error) {
	if b == nil {
		return nil, newError(storage.InvalidArgument, "New", "", "bucket must not be nil")
	}
	if !storage.Supports(b, storage.ConditionalCreate|storage.ConditionalUpdate) {
		return nil, newError(storage.Unsupported, "New", "", "the bucket must have conditional writes, for the locks")
	}
	return &Storage{bucket: b, held: map[string][]*lease.Lease{}}, nil
}

// newError returns an error of a method of this package. key is the key of the value, or "".
func newError(code storage.Code, op, key, text string) error {
	return &storage.Error{Code: code, Op: "certmagic." + op, Key: key, Err: errors.New(text)}
}

// Store writes a value, either completely or not at all.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	_, err := s.bucket.Upload(ctx, key, bytes.NewReader(value))
	return err
}

// Load reads a value. If the key does not exist, the error matches fs.ErrNotExist, as CertMagic
// requires.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := storage.ReadAll(ctx, s.bucket, key)
	return value, err
}

// Delete removes a key and all keys below it. If there are none, it returns nil.
func (s *Storage) Delete(ctx context.Context, key string) error {
	if key == "" {
		return newError(storage.InvalidArgument, "Delete", key, "key must not be empty")
	}
	if err := s.bucket.Remove(ctx, key); err != nil {
		return err
	}
	_, err := storage.RemoveMatching(ctx, s.bucket, nil, storage.WithPrefix(key+"/"))
	return err
}

// Exists reports whether a value or a folder with this key exists.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// Stat returns information about a value or a folder. If neither exists, the error matches
// fs.ErrNotExist, as CertMagic requires.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	attrs, err := s.bucket.Attrs(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: attrs.Modified, Size: attrs.Size, IsTerminal: true}, nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return certmagic.KeyInfo{}, err
	}

	// The first key below the folder shows that it exists, so the loop never repeats.
	for _, listErr := range s.bucket.List(ctx, storage.WithPrefix(key+"/"), storage.WithLimit(1)) {
		if listErr != nil {
			return certmagic.KeyInfo{}, listErr
		}
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, err
}

// List returns the keys and folders in a folder and, if recursive is true, in the folders below it. If
// the folder does not exist, the error matches fs.ErrNotExist. The folder "" always exists.
func (s *Storage) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	prefix := strings.TrimSuffix(folder, "/")
	if prefix != "" {
		prefix += "/"
	}

	// With the delimiter, a listing has only one level.
	opts := []storage.ListOption{storage.WithPrefix(prefix)}
	if !recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}

	var keys []string
	for entry, err := range s.bucket.List(ctx, opts...) {
		if err != nil {
			return nil, err
		}
		// A marker of a folder is left out, and so is a key with an empty name in it.
		if !hasName(strings.TrimPrefix(entry.Key, prefix)) {
			continue
		}
		if recursive {
			// A recursive listing has keys only, and no folders.
			keys = append(keys, foldersOf(entry.Key, prefix)...)
		}
		keys = append(keys, strings.TrimSuffix(entry.Key, "/"))
	}

	if len(keys) == 0 && prefix != "" {
		// Stat succeeds if the folder exists, and is only empty.
		_, err := s.Stat(ctx, strings.TrimSuffix(prefix, "/"))
		return nil, err
	}

	// A folder occurs once for each key in it, and once more if it is also a key.
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// hasName reports whether a path inside a folder consists of nonempty names. It is false for the
// folder's own marker, the empty object "folder/" that consoles and rclone store. It is also false
// for a key with "//".
func hasName(below string) bool { return below != "" && !strings.Contains("/"+below, "//") }

// foldersOf returns the folders below prefix that contain key, such as "a/b/c" and "a/b" for the prefix "a/" and the
// key "a/b/c/d".
func foldersOf(key, prefix string) []string {
	var folders []string
	for end := strings.LastIndexByte(key, '/'); end > len(prefix); end = strings.LastIndexByte(key[:end], '/') {
		folders = append(folders, key[:end])
	}
	return folders
}
