package lease

import (
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// An Option is an option of [Hold], [Acquire] and [Check]: [WithTTL], [WithInterval], [WithHandover] or
// [WithRemoval].
type Option interface{ apply(*Lease) }

type option func(*Lease)

func (o option) apply(l *Lease) { o(l) }

// prepare applies the options, and checks them, the other arguments and the features of the bucket.
func (l *Lease) prepare(opts []Option) error {
	l.ttl = defaultTTL
	for _, o := range opts {
		if o == nil {
			return l.failed(storage.InvalidArgument, "option must not be nil")
		}
		o.apply(l)
	}

	// Check the arguments.
	if l.bucket == nil {
		return l.failed(storage.InvalidArgument, "bucket must not be nil")
	}
	if l.ttl < minTTL {
		return l.failed(storage.InvalidArgument, "WithTTL must be at least a second")
	}
	if l.interval < 0 {
		return l.failed(storage.InvalidArgument, "WithInterval must not be negative")
	}
	if err := argument.NeedBucket(l.bucket, l.op(), l.key); err != nil {
		return err
	}

	// Without conditions, two processes could acquire the lease at once.
	if !storage.Supports(l.bucket, storage.ConditionalCreate) {
		return l.failed(storage.Unsupported, "a lease needs IfAbsent on Upload")
	}
	if !storage.Supports(l.bucket, storage.ConditionalUpdate) {
		return l.failed(storage.Unsupported, "a lease needs IfRevision on Upload")
	}
	return nil
}

// failed returns an error of the operation.
func (l *Lease) failed(code storage.Code, text string) *storage.Error {
	return &storage.Error{Code: code, Op: l.op(), Key: l.key, Err: errors.New(text)}
}

// op returns the name of the operation for errors. Only Acquire sets a holder.
func (l *Lease) op() string {
	if l.holder == "" {
		return "Check"
	}
	return "Acquire"
}

// WithTTL sets the time to live of the lease. If the holder has died, another process takes over
// after this time. The default is a minute. If ttl is below a second, the call fails with
// InvalidArgument. Holders of one key may have different TTLs, because the object records the TTL
// of its holder.
func WithTTL(ttl time.Duration) Option {
	return option(func(l *Lease) {
		l.ttl = ttl
	})
}

// WithInterval makes [Acquire] wait until d has passed since the last acquisition of the lease.
// That limits how often a job runs. The store's clock ([storage.Attrs].Modified) measures the time,
// at its precision. If the last holder has died, Acquire does not wait for d. If the store's clock
// was set back, Acquire waits for d at most. If d is negative, the call fails with InvalidArgument.
func WithInterval(d time.Duration) Option {
	return option(func(l *Lease) {
		l.interval = d
	})
}

// WithHandover makes [Acquire] ask the holder for the lease, so that the holder can end its job
// early. The holder must have this option, too: its channel [Lease.Wanted] is closed when another
// process asks. Both processes then read the object twelve times per TTL.
func WithHandover() Option {
	return option(func(l *Lease) {
		l.wantsHandover = true
	})
}

// WithRemoval makes [Lease.Release] remove the object. It is for many keys that are each held for a
// short time. After each removal, the tokens of the key begin at 1 again. The bucket must permit
// Remove, so [storage.Ref] must not have narrowed it to other methods.
func WithRemoval() Option {
	return option(func(l *Lease) {
		l.wantsRemoval = true
	})
}
