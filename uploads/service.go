package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/partsize"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Service receives files from users and stores them in one bucket, by the rules of its Config. If
// Config.Authorize is set, a Service is an [http.Handler]. Its methods may be called concurrently.
// Any number of processes may each have a Service for the same bucket.
type Service struct {
	setup   *setup
	counter *counter // nil if Config.Allowance is nil
	files   *files
	keeper  *keeper
	handler *handler
	mux     func() *http.ServeMux // makes the routes once, for the first request
}

func init() {
	intake.Of = func(service any) *intake.Memory { return service.(*Service).setup.memory }
}

// New returns a Service. It makes no request, but checks that the configuration is valid and that
// the bucket supports it:
//
//   - If c is invalid, New fails with InvalidArgument.
//   - If the bucket lacks a feature that c needs, or is not a bucket of package storage, New fails
//     with Unsupported. See Config.Unguarded, Link, PublicRead and Tags.
//   - If Link is PublicLink but the bucket was not opened as public, New fails with NotPublic.
//
// To serve HTTP, the bucket also needs multipart uploads that can be continued by another process.
// The bucket or Config.States needs conditional writes.
func New(bucket storage.Bucket, c Config) (*Service, error) {
	// Check the bucket.
	if bucket == nil {
		return nil, argument.InvalidFor(opNew, "bucket", "must not be nil", "")
	}
	if err := argument.NeedBucket(bucket, opNew, ""); err != nil {
		return nil, err
	}

	// Set the defaults in a copy, whose maps the application cannot change.
	c.CacheControl = maps.Clone(c.CacheControl)
	c.Tags = maps.Clone(c.Tags)
	c.setDefaults(bucket)
	if err := c.validate(); err != nil {
		return nil, err
	}

	// Check the rules and the pattern of keys.
	judge, err := rules.New(c.Rules)
	if err != nil {
		return nil, argument.InvalidFor(opNew, "Config.Rules:", err.Error(), "")
	}
	pattern, flaw := keypattern.Parse(c.Key)
	if flaw != "" {
		return nil, argument.InvalidFor(opNew, "Config.Key", flaw, "as in users/{user}/avatars/{yyyy}/{mm}/{random}{ext}")
	}

	if err := c.validatePattern(pattern); err != nil {
		return nil, err
	}

	// Check the features of the bucket.
	for _, need := range c.requirements(bucket, judge.LooksAtContent()) {
		if !need.met {
			return nil, &storage.Error{Code: storage.Unsupported, Op: opNew, Err: errors.New(need.flaw), Hint: need.hint}
		}
	}
	if c.Link == PublicLink {
		_, err := bucket.PublicURL(c.Prefix + "probe")
		if err != nil {
			return nil, err
		}
	}
	return newService(bucket, &c, judge, pattern), nil
}

// newService returns a Service for a Config that is valid and has its defaults.
func newService(bucket storage.Bucket, c *Config, judge *rules.Judge, pattern *keypattern.Pattern) *Service {
	// The parts of the service share this setup.
	base := &setup{
		bucket:  bucket,
		config:  c,
		judge:   judge,
		pattern: pattern,
		guarded: storage.Supports(bucket, storage.ConditionalCreate),
		memory:  intake.New(c.MemoryLimit),
	}
	if maximum := judge.Rules().MaxSize; maximum != math.MaxInt64 {
		base.maxSize = maximum
	}

	// Pulse and Wait are looked up at each call, because tests replace them.
	sessions := &session.Store{
		Bucket:   bucket,
		States:   c.States,
		Prefix:   c.Prefix,
		Now:      c.Now,
		Pulse:    func(ctx context.Context, d time.Duration) error { return base.memory.Pulse(ctx, d) },
		Calls:    session.Calls{Process: rand.Text()},
		BasePart: partsize.Base,
	}

	// Without an allowance, the counter is nil.
	s := &Service{setup: base}
	if c.Allowance != nil {
		s.counter = &counter{
			setup: base,
			book: &ledger.Book{
				Prefix: c.usagePrefix(),
				Scope:  c.Key,
				States: c.States,
				Now:    c.Now,
				Wait:   func(ctx context.Context, d time.Duration) error { return base.memory.Wait(ctx, d) },
			},
			sessions: sessions,
		}
	}

	// The handler comes last, because it needs all other parts.
	s.files = &files{setup: base, counter: s.counter}
	s.keeper = &keeper{Store: sessions, setup: base, counter: s.counter, files: s.files}
	s.handler = newHandler(s)
	s.mux = sync.OnceValue(s.handler.routes)
	return s
}
