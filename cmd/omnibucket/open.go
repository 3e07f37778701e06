package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
)

var errNotInBucket = errors.New("argument must be an address")

// openBuckets are the open buckets of a program by their address.
type openBuckets struct {
	mu     sync.Mutex
	by     map[bucketKey]storage.Bucket
	limits map[string]storage.Layer // by the text of --bwlimit
}

// A bucketKey has what makes one open bucket different from another. Lines of run may differ in
// their flags.
type bucketKey struct {
	address, limit string
	retry          storage.RetryPolicy
	dryRun         bool
}

func (p *program) bucketKey(l location) bucketKey {
	return bucketKey{l.address(), p.global.bwlimit, p.retry, p.global.dryRun}
}

// open opens the bucket of a location, once for each address. run closes it.
func (p *program) open(ctx context.Context, l location, opts ...storage.OpenOption) (storage.Bucket, error) {
	if err := p.checkMemory(l.scheme); err != nil {
		return nil, err
	}
	p.buckets.mu.Lock()
	defer p.buckets.mu.Unlock()
	key := p.bucketKey(l)
	bucket, opened := p.buckets.by[key]
	if !opened {
		opts = append(opts, p.openOptions()...)
		var err error
		bucket, err = inRegion(ctx, l, func(l location) (storage.Bucket, error) { return storage.Open(ctx, p.addressToOpen(l), opts...) })
		if err != nil {
			return nil, err
		}
		if p.buckets.by == nil {
			p.buckets.by = map[bucketKey]storage.Bucket{}
		}
		p.buckets.by[key] = bucket
	}
	return withPrefix(bucket, l.prefix), nil
}

// checkMemory refuses a store in memory for a command with whose process it would end: what mv moves
// there would be lost.
func (p *program) checkMemory(scheme string) error {
	if scheme != "mem" || !p.ends || p.command != nil && (p.command.Name() == "serve" || p.command.Name() == "sign") {
		return nil
	}
	return invalid("a bucket in memory ends with the command", "use mem: in the lines of a file of \"omnibucket run\" or with \"omnibucket serve\", or a directory: file:///absolute/directory")
}

// openFolder opens the folder of a location as a bucket.
func (p *program) openFolder(ctx context.Context, l location) (storage.Bucket, error) {
	bucket, err := p.open(ctx, l)
	if err != nil {
		return nil, err
	}
	return withPrefix(bucket, asFolder(l.key)), nil
}

func withPrefix(b storage.Bucket, prefix string) storage.Bucket {
	if prefix == "" {
		return b
	}
	return storage.Prefixed(b, prefix)
}

// openObject parses an argument that must be in a bucket, and opens the bucket.
func (p *program) openObject(ctx context.Context, text string) (storage.Bucket, location, error) {
	l, err := p.locateInBucket(text)
	if err != nil {
		return nil, l, err
	}
	bucket, err := p.open(ctx, l)
	return bucket, l, err
}

// openService opens the account at an address.
func (p *program) openService(ctx context.Context, address string) (storage.Service, error) {
	scheme, _, _ := strings.Cut(address, ":")
	if err := p.checkMemory(scheme); err != nil {
		return nil, err
	}
	opts := []storage.OpenOption{storage.WithRetry(p.retry)}
	if p.global.dryRun {
		opts = append(opts, storage.WithHook(refuseChanges))
	}
	return storage.OpenService(ctx, address, opts...)
}

// useService calls do with the account of a bucket, and the bucket's name.
func (p *program) useService(ctx context.Context, l location, do func(s storage.Service, bucket string) error) error {
	bucket := ""
	service, err := inRegion(ctx, l, func(l location) (storage.Service, error) {
		address, name, err := l.splitAccount()
		if err != nil {
			return nil, err
		}
		bucket = name
		return p.openService(ctx, address)
	})
	if err != nil {
		return err
	}
	return errors.Join(do(service, bucket), service.Close())
}

func (o *openBuckets) close() error {
	var failures []error
	for _, bucket := range o.by {
		failures = append(failures, storage.Close(bucket))
	}
	return errors.Join(failures...)
}
