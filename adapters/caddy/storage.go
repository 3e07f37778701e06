package caddy

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	cert "github.com/caddyserver/certmagic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/certmagic"
)

// Storage keeps the certificates, keys and ACME accounts of Caddy in a bucket. Several instances
// share the bucket: one of them obtains a certificate, and all use it. The store must have
// conditional writes. Timeout bounds each read and write, but neither locks nor listings.
//
// The objects contain private keys. See package [certmagic] for what differs from a directory.
type Storage struct {
	Location

	bucket *sharedBucket // nil before Provision and after Cleanup
	stored *certmagic.Storage
}

var (
	_ caddy.Provisioner      = (*Storage)(nil)
	_ caddy.CleanerUpper     = (*Storage)(nil)
	_ caddy.StorageConverter = (*Storage)(nil)
	_ caddyfile.Unmarshaler  = (*Storage)(nil)
)

// CaddyModule returns the module information.
func (Storage) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.storage.omnibucket",
		New: func() caddy.Module { return new(Storage) },
	}
}

// UnmarshalCaddyfile reads "omnibucket <address>", and a block with a timeout.
func (s *Storage) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return s.unmarshal(d) }

// Provision opens the bucket. Caddy calls it after it has decoded the configuration of the module.
func (s *Storage) Provision(ctx caddy.Context) error {
	bucket, err := s.open(ctx)
	if err != nil {
		return err
	}
	s.bucket = bucket
	s.stored, err = certmagic.New(bucket.Bucket)
	return err
}

// Cleanup closes the bucket. While locks are held, it stays open until the last Unlock, because
// CertMagic releases its locks after Cleanup.
func (s *Storage) Cleanup() error {
	if s.bucket == nil {
		return nil
	}
	b := s.bucket
	s.bucket = nil
	return b.leave()
}

// CertMagicStorage returns the storage that CertMagic uses. Its reads and writes have the timeout of the module.
func (s *Storage) CertMagicStorage() (cert.Storage, error) {
	if s.bucket == nil {
		return nil, errors.New("the module must be provisioned")
	}
	return &timedStorage{stored: s.stored, bucket: s.bucket, timeout: s.timeout()}, nil
}

// A timedStorage limits the time of reads and writes, so that a store that does not answer holds up
// neither a handshake nor a start for longer.
type timedStorage struct {
	stored  *certmagic.Storage
	bucket  *sharedBucket
	timeout time.Duration
}

// String returns the address without its parameters. Caddy logs it.
func (s *timedStorage) String() string { return s.bucket.name }

// limit returns a context for one read or write.
func (s *timedStorage) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// Store writes a value.
func (s *timedStorage) Store(ctx context.Context, key string, value []byte) error {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.stored.Store(ctx, key, value)
}

// Load reads a value.
func (s *timedStorage) Load(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.stored.Load(ctx, key)
}

// Delete removes a key and all keys below it.
func (s *timedStorage) Delete(ctx context.Context, key string) error {
	return s.stored.Delete(ctx, key)
}

// List returns the keys and folders in a folder.
func (s *timedStorage) List(ctx context.Context, folder string, recursive bool) ([]string, error) {
	return s.stored.List(ctx, folder, recursive)
}

// Exists reports whether a value or a folder exists.
func (s *timedStorage) Exists(ctx context.Context, key string) bool {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.stored.Exists(ctx, key)
}

// Stat returns information about a value or a folder.
func (s *timedStorage) Stat(ctx context.Context, key string) (cert.KeyInfo, error) {
	ctx, cancel := s.limit(ctx)
	defer cancel()
	return s.stored.Stat(ctx, key)
}

// Lock waits for a lock. The shared bucket then stays open until Unlock, even after Cleanup of the module.
func (s *timedStorage) Lock(ctx context.Context, name string) error {
	if !s.bucket.join() {
		return errors.New("the storage has been closed")
	}

	if err := s.stored.Lock(ctx, name); err != nil {
		// The caller needs the error of the lock, and not that of a close.
		_ = s.bucket.leave()
		return err
	}
	return nil
}

// Unlock releases a lock. Even if that fails, the lock no longer keeps the shared bucket open, unless
// it was not held.
func (s *timedStorage) Unlock(ctx context.Context, name string) error {
	err := s.stored.Unlock(ctx, name)
	wasHeld := storage.CodeOf(err) != storage.InvalidArgument
	if !wasHeld {
		return err
	}
	return errors.Join(err, s.bucket.leave())
}
