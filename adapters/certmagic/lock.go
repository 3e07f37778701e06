package certmagic

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/lease"
)

// ttl is how long a lock stays after its holder has died.
const ttl = 15 * time.Second

// Lock waits until it has acquired the lock, which is then renewed until Unlock. If ctx is done first,
// Lock fails with Canceled or DeadlineExceeded.
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

// lockKey returns the key of a lock. It differs from the key of a lock file that FileStorage uses,
// because a dead server may have left such a file.
func lockKey(name string) string { return "locks/" + certmagic.StorageKeys.Safe(name) + ".lease" }

// Unlock releases a lock of this Storage. If another server has taken the lock over, it changes
// nothing and returns nil. If this Storage does not hold the lock, it fails with InvalidArgument.
func (s *Storage) Unlock(_ context.Context, name string) error {
	l := s.takeLease(name)
	if l == nil {
		return newError(storage.InvalidArgument, "Unlock", name, "this Storage must hold the lock")
	}
	if err := l.Release(); err != nil && !errors.Is(err, storage.Changed) {
		return err
	}
	return nil
}

// takeLease removes the oldest lease of a lock from s.held and returns it, or nil if there is none.
//
// A lock has two leases if the first was lost and another caller acquired it. The Unlock that comes first is that
// of the first lease.
func (s *Storage) takeLease(name string) *lease.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()

	leases := s.held[name]
	if len(leases) == 0 {
		return nil
	}
	if len(leases) == 1 {
		delete(s.held, name)
	} else {
		s.held[name] = leases[1:]
	}
	return leases[0]
}
