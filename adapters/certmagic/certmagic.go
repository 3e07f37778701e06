// Package certmagic makes a storage of CertMagic of any [storage.Bucket], for programs of CertMagic and
// for modules of Caddy: certificates, keys and accounts of the servers that share the bucket.
//
//	s, err := certmagic.New(storage.Prefixed(bucket, "tls/"))
//	config.Storage = s // a certmagic.Config
//
// The objects have private keys. Encrypt them by layers/encrypt, or keep the bucket from others.
//
// # Locks
//
// A lock is a lease of package lease, below "locks/". If its holder has died, another server takes the lock
// 15 seconds after the last renewal that it has seen. No clock of one machine is compared with that
// of another. Therefore there is no TryLock, in whose place CertMagic calls Lock.
//
// # What differs from FileStorage
//
//   - A folder exists while a key is below it, or a folder marker: the empty object "folder/" of consoles and rclone.
//   - A key may be the prefix of other keys and have a value, too, if the store permits it.
//   - If the store cannot be reached, Exists returns false.
//   - List is in the order of the bytes of the keys.
//   - Delete and Stat refuse the empty key, and Delete that of everything.
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

// A Storage keeps what CertMagic stores in a bucket. It is safe for concurrent use.
type Storage struct {
	bucket storage.ReadWriter
	mu     sync.Mutex
	held   map[string][]*lease.Lease // by the name of the lock, those of lost leases first
}

var _ certmagic.Storage = (*Storage)(nil)

// New returns a storage in b. It makes no request. If b is nil, New fails with InvalidArgument. If b
// lacks conditional writes, which the locks need, New fails with Unsupported.
func New(b storage.ReadWriter) (*Storage, error) {
	if b == nil {
		return nil, failed(storage.InvalidArgument, "New", "", "bucket must not be nil")
	}
	if !storage.Supports(b, storage.ConditionalCreate|storage.ConditionalUpdate) {
		return nil, failed(storage.Unsupported, "New", "", "the bucket must have conditional writes, for the locks")
	}
	return &Storage{bucket: b, held: map[string][]*lease.Lease{}}, nil
}

func failed(code storage.Code, op, key, text string) error {
	return &storage.Error{Code: code, Op: "certmagic." + op, Key: key, Err: errors.New(text)}
}

// Store writes a value whole, or not at all.
func (s *Storage) Store(ctx context.Context, key string, value []byte) error {
	_, err := s.bucket.Upload(ctx, key, bytes.NewReader(value))
	return err
}

// Load reads a value. If there is none, the error is fs.ErrNotExist, too.
func (s *Storage) Load(ctx context.Context, key string) ([]byte, error) {
	value, _, err := storage.ReadAll(ctx, s.bucket, key)
	return value, err
}

// Delete removes a key and all keys below it. If there are none, it succeeds.
func (s *Storage) Delete(ctx context.Context, key string) error {
	if key == "" {
		return failed(storage.InvalidArgument, "Delete", key, "key must not be empty")
	}
	if err := s.bucket.Remove(ctx, key); err != nil {
		return err
	}
	_, err := storage.RemoveMatching(ctx, s.bucket, nil, storage.WithPrefix(key+"/"))
	return err
}

// Exists reports whether there is a value or a folder.
func (s *Storage) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return err == nil
}

// Stat returns what is known of a value or of a folder. If there is neither, the error is
// fs.ErrNotExist, too.
func (s *Storage) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	a, err := s.bucket.Attrs(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: a.Modified, Size: a.Size, IsTerminal: true}, nil
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return certmagic.KeyInfo{}, err
	}
	for _, listErr := range s.bucket.List(ctx, storage.WithPrefix(key+"/"), storage.WithLimit(1)) {
		if listErr != nil {
			return certmagic.KeyInfo{}, listErr
		}
		return certmagic.KeyInfo{Key: key}, nil
	}
	return certmagic.KeyInfo{}, err
}

// List returns the keys and the folders in a folder, and if recursive those below, too. If the folder
// does not exist, the error is fs.ErrNotExist, too; "" always exists.
func (s *Storage) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	prefix := strings.TrimSuffix(folder, "/")
	if prefix != "" {
		prefix += "/"
	}
	opts := []storage.ListOption{storage.WithPrefix(prefix)}
	if !recursive {
		opts = append(opts, storage.WithDelimiter("/"))
	}
	var keys []string
	last := prefix // the folder of the last key
	for entry, err := range s.bucket.List(ctx, opts...) {
		if err != nil {
			return nil, err
		}
		if !hasName(strings.TrimPrefix(entry.Key, prefix)) {
			continue
		}
		if recursive {
			keys = appendFolders(keys, prefix, last, entry.Key)
			last = entry.Key[:strings.LastIndexByte(entry.Key, '/')+1]
		}
		keys = append(keys, strings.TrimSuffix(entry.Key, "/"))
	}
	if len(keys) == 0 && prefix != "" {
		_, err := s.Stat(ctx, strings.TrimSuffix(prefix, "/"))
		return nil, err
	}
	slices.Sort(keys) // a key may be a value and a folder
	return slices.Compact(keys), nil
}

// hasName reports whether what is at a path below a folder has a name there. The folder's own marker, the empty
// object "folder/" that consoles and rclone store, has none, nor has what a "//" leads to.
func hasName(below string) bool { return below != "" && !strings.Contains("/"+below, "//") }

// appendFolders appends the folders of key below prefix that last, the folder of the key before, is not in.
func appendFolders(keys []string, prefix, last, key string) []string {
	for at := len(prefix); ; at++ {
		slash := strings.IndexByte(key[at:], '/')
		if slash < 0 {
			return keys
		}
		at += slash
		if !strings.HasPrefix(last, key[:at+1]) {
			keys = append(keys, key[:at])
		}
	}
}
