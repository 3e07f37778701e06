package certmagic

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// ttl is the time after which another server takes a lock whose holder has died.
const ttl = 15 * time.Second

// Lock waits until it holds the lock, and renews it until Unlock. If ctx ends first, it fails with
// Canceled or DeadlineExceeded.
func (s *Storage) Lock(ctx context.Context, name string) error {
	l, err := lease.Acquire(ctx, s.bucket, lockKey(name), lease.WithTTL(ttl), lease.WithRemoval())
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name] = append(s.held[name], l)
	return nil
}

// lockKey returns another key than that of a lock file of FileStorage, which a server that has died leaves.
func lockKey(name string) string { return "locks/" + certmagic.StorageKeys.Safe(name) + ".lease" }

// Unlock releases a lock of this Storage. If another server has taken it, that one keeps it, and Unlock
// succeeds. If this Storage does not hold the lock, Unlock fails with InvalidArgument.
func (s *Storage) Unlock(_ context.Context, name string) error {
	l := s.oldest(name)
	if l == nil {
		return failed(storage.InvalidArgument, "Unlock", name, "this Storage must hold the lock")
	}
	if err := l.Release(); err != nil && !errors.Is(err, storage.Changed) {
		return err
	}
	return nil
}

// oldest removes the lease that was acquired first. There are several if one was lost, and another caller
// here has the lock: its lease must not end before each of both has called Unlock.
func (s *Storage) oldest(name string) *lease.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[name]
	if len(held) == 0 {
		return nil
	}
	if len(held) == 1 {
		delete(s.held, name)
	} else {
		s.held[name] = held[1:]
	}
	return held[0]
}
