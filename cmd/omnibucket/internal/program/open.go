package program

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/meter"
)

// OpenBuckets holds the open buckets of a program, so that each bucket is opened once. All lines of
// "omnibucket run" share one OpenBuckets.
type OpenBuckets struct {
	mu     sync.Mutex
	byKey  map[bucketKey]storage.Bucket
	limits map[string]driver.Layer // by value of --bwlimit
	meter  *meter.Meter            // counts requests for --requests, or nil
	layers namedLayers
}

// A bucketKey identifies an open bucket. The lines of "omnibucket run" share open buckets, but may
// have different flags. A bucketKey has these flags, so that only lines with equal flags share a
// bucket.
type bucketKey struct {
	address, limit string
	layers         string // key of its layers in namedLayers, or ""
	retry          storage.RetryPolicy
	dryRun, raw    bool
	requests       bool
}

// bucketKey returns the key under which an open bucket is kept for reuse. The key has all that
// determines how the bucket of l is opened.
func (s *Stores) bucketKey(l location.Location) bucketKey {
	return bucketKey{
		address:  l.Address(),
		limit:    s.flags.bwlimit,
		layers:   s.layersKey(l),
		retry:    s.retry,
		dryRun:   s.flags.DryRun,
		raw:      s.Raw,
		requests: s.flags.requests,
	}
}

// Open opens the bucket of a location, or returns it if it is open already. The program closes all
// buckets at its end.
func (s *Stores) Open(ctx context.Context, l location.Location, opts ...storage.OpenOption) (storage.Bucket, error) {
	if err := s.checkMemory(l.Scheme); err != nil {
		return nil, err
	}

	s.Buckets.mu.Lock()
	defer s.Buckets.mu.Unlock()

	key := s.bucketKey(l)
	if bucket, ok := s.Buckets.byKey[key]; ok {
		return WithPrefix(bucket, l.Prefix), nil
	}
	bucket, err := s.openNew(ctx, l, opts)
	if err != nil {
		return nil, err
	}
	if s.Buckets.byKey == nil {
		s.Buckets.byKey = map[bucketKey]storage.Bucket{}
	}
	s.Buckets.byKey[key] = bucket
	return WithPrefix(bucket, l.Prefix), nil
}

// openNew opens a bucket with its layers. It fails if the bucket lacks a feature that the
// configuration of the location requires. The caller must hold s.Buckets.mu.
func (s *Stores) openNew(
	ctx context.Context, l location.Location, opts []storage.OpenOption,
) (storage.Bucket, error) {
	layers, err := s.layersOf(ctx, l)
	if err != nil {
		return nil, err
	}

	opts = append(opts, s.openOptions(layers)...)
	bucket, err := InRegion(ctx, l, func(regional location.Location) (storage.Bucket, error) {
		return storage.Open(ctx, s.addressToOpen(regional), opts...)
	})
	if err != nil {
		return nil, err
	}

	configured, _ := s.Config.Find(l.Name)
	if err := storage.Require(bucket, configured.Features()); err != nil {
		// No object was written, so an error of Close does not matter.
		_ = storage.Close(bucket)
		return nil, err
	}
	return bucket, nil
}

// checkMemory refuses the scheme "mem", a store in memory, if the process ends after this command,
// because the objects would be lost.
func (s *Stores) checkMemory(scheme string) error {
	if scheme != "mem" || !s.isTemporary {
		return nil
	}
	return argument.Invalid(
		"a bucket in memory ends with the command",
		"use mem: in the lines of a file of \"omnibucket run\" or with \"omnibucket serve\", or a directory: file:///absolute/directory",
	)
}

// OpenWrapped opens a bucket and replaces its Core by the result of wrap. The new Core receives whole
// keys, which begin with the prefix of l.
func (s *Stores) OpenWrapped(
	ctx context.Context, l location.Location, wrap func(storage.Core) storage.Core,
) (storage.Bucket, error) {
	// Open would add the prefix below the new Core. WithPrefix adds it above.
	prefix := l.Prefix
	l.Prefix = ""
	bucket, err := s.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	wrapped, err := storage.Wrap(bucket, wrap)
	if err != nil {
		return nil, err
	}
	return WithPrefix(wrapped, prefix), nil
}

// OpenFolder opens the folder of a location as a bucket.
func (s *Stores) OpenFolder(ctx context.Context, l location.Location) (storage.Bucket, error) {
	bucket, err := s.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	return WithPrefix(bucket, location.AsFolder(l.Key)), nil
}

// WithPrefix returns a folder of a bucket as a bucket.
func WithPrefix(b storage.Bucket, prefix string) storage.Bucket {
	if prefix == "" {
		return b
	}
	return storage.Prefixed(b, prefix)
}

// openObject parses an argument that must name something in a bucket, and opens that bucket.
func (s *Stores) openObject(ctx context.Context, text string) (storage.Bucket, location.Location, error) {
	l, err := s.LocateExisting(text)
	if err != nil {
		return nil, l, err
	}
	bucket, err := s.Open(ctx, l)
	return bucket, l, err
}

// OpenService opens the account at an address. The caller must close it.
func (s *Stores) OpenService(ctx context.Context, address string, extra ...storage.OpenOption) (storage.Service, error) {
	scheme, _, _ := strings.Cut(address, ":")
	if err := s.checkMemory(scheme); err != nil {
		return nil, err
	}
	opts := append(extra, storage.WithRetry(s.retry))
	if s.flags.DryRun {
		opts = append(opts, storage.WithHook(refuseChanges))
	}
	return storage.OpenService(ctx, address, opts...)
}

// UseService calls do with the account that has the bucket of l, and with the bucket's name.
func (s *Stores) UseService(
	ctx context.Context, l location.Location, do func(s storage.Service, bucket string) error,
) error {
	_, bucket, err := l.SplitAccount()
	if err != nil {
		return err
	}
	// InRegion may add a region to the address, which does not change the name of the bucket.
	service, err := InRegion(ctx, l, func(regional location.Location) (storage.Service, error) {
		address, _, err := regional.SplitAccount()
		if err != nil {
			return nil, err
		}
		return s.OpenService(ctx, address, s.serviceOptions(regional)...)
	})
	if err != nil {
		return err
	}
	return errors.Join(do(service, bucket), service.Close())
}

// Close closes the buckets, and then their layers.
func (o *OpenBuckets) Close() error {
	var failures []error
	for _, bucket := range o.byKey {
		failures = append(failures, storage.Close(bucket))
	}
	return errors.Join(append(failures, o.layers.close())...)
}
