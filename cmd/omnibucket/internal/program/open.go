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

// OpenBuckets are the open buckets of a program by their address.
type OpenBuckets struct {
	mu     sync.Mutex
	by     map[bucketKey]storage.Bucket
	limits map[string]driver.Layer // by the text of --bwlimit
	meter  *meter.Meter            // of --requests, or nil
	layers namedLayers
}

// A bucketKey has what makes one open bucket different from another. Lines of run may differ in
// their flags.
type bucketKey struct {
	address, limit string
	layers         string // whose they are, or ""
	retry          storage.RetryPolicy
	dryRun, raw    bool
	requests       bool
}

func (p *Program) bucketKey(l location.Location) bucketKey {
	return bucketKey{l.Address(), p.Global.bwlimit, p.hasLayers(l), p.retry, p.Global.DryRun, p.Raw, p.Global.requests}
}

// Open opens the bucket of a location, once for each address. run closes it.
func (p *Program) Open(ctx context.Context, l location.Location, opts ...storage.OpenOption) (storage.Bucket, error) {
	if err := p.checkMemory(l.Scheme); err != nil {
		return nil, err
	}
	p.Buckets.mu.Lock()
	defer p.Buckets.mu.Unlock()
	key := p.bucketKey(l)
	bucket, opened := p.Buckets.by[key]
	if !opened {
		layers, err := p.layersOf(ctx, l)
		if err != nil {
			return nil, err
		}
		opts = append(opts, p.openOptions(layers)...)
		bucket, err = InRegion(ctx, l, func(l location.Location) (storage.Bucket, error) {
			return storage.Open(ctx, p.addressToOpen(l), opts...)
		})
		if err != nil {
			return nil, err
		}
		if p.Buckets.by == nil {
			p.Buckets.by = map[bucketKey]storage.Bucket{}
		}
		p.Buckets.by[key] = bucket
	}
	return WithPrefix(bucket, l.Prefix), nil
}

// checkMemory refuses a store in memory for a command with whose process it would end: what mv moves
// there would be lost.
func (p *Program) checkMemory(scheme string) error {
	if scheme != "mem" || !p.Around.Ends || p.Command != nil && (p.Command.Name() == "serve" || p.Command.Name() == "sign") {
		return nil
	}
	return argument.Invalid("a bucket in memory ends with the command", "use mem: in the lines of a file of \"omnibucket run\" or with \"omnibucket serve\", or a directory: file:///absolute/directory")
}

// OpenFolder opens the folder of a location as a bucket.
func (p *Program) OpenFolder(ctx context.Context, l location.Location) (storage.Bucket, error) {
	bucket, err := p.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	return WithPrefix(bucket, location.AsFolder(l.Key)), nil
}

// WithPrefix returns a folder of a bucket.
func WithPrefix(b storage.Bucket, prefix string) storage.Bucket {
	if prefix == "" {
		return b
	}
	return storage.Prefixed(b, prefix)
}

// openObject parses an argument that must be in a bucket, and opens the bucket.
func (p *Program) openObject(ctx context.Context, text string) (storage.Bucket, location.Location, error) {
	l, err := p.LocateInBucket(text)
	if err != nil {
		return nil, l, err
	}
	bucket, err := p.Open(ctx, l)
	return bucket, l, err
}

// OpenService opens the account at an address.
func (p *Program) OpenService(ctx context.Context, address string, more ...storage.OpenOption) (storage.Service, error) {
	scheme, _, _ := strings.Cut(address, ":")
	if err := p.checkMemory(scheme); err != nil {
		return nil, err
	}
	opts := append(more, storage.WithRetry(p.retry))
	if p.Global.DryRun {
		opts = append(opts, storage.WithHook(refuseChanges))
	}
	return storage.OpenService(ctx, address, opts...)
}

// UseService calls do with the account of a bucket, and the bucket's name.
func (p *Program) UseService(ctx context.Context, l location.Location, do func(s storage.Service, bucket string) error) error {
	bucket := ""
	service, err := InRegion(ctx, l, func(l location.Location) (storage.Service, error) {
		address, name, err := l.SplitAccount()
		if err != nil {
			return nil, err
		}
		bucket = name
		return p.OpenService(ctx, address, p.serviceOptions(l)...)
	})
	if err != nil {
		return err
	}
	return errors.Join(do(service, bucket), service.Close())
}

// Close closes the buckets, and then their layers.
func (o *OpenBuckets) Close() error {
	var failures []error
	for _, bucket := range o.by {
		failures = append(failures, storage.Close(bucket))
	}
	return errors.Join(append(failures, o.layers.close())...)
}
