package main

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

var errNoAddress = errors.New("this is no address")

// open opens the bucket of a location, once for each address; run closes it.
func (p *program) open(ctx context.Context, l location, opts ...storage.OpenOption) (storage.Bucket, error) {
	bucket, opened := p.buckets[l.address()]
	if !opened {
		var err error
		if bucket, err = storage.Open(ctx, l.address(), opts...); err != nil {
			return nil, err
		}
		p.buckets[l.address()] = bucket
	}
	return within(bucket, l.under), nil
}

// openFolder opens what is under a location taken as a folder, as a bucket.
func (p *program) openFolder(ctx context.Context, l location) (storage.Bucket, error) {
	bucket, err := p.open(ctx, l)
	if err != nil {
		return nil, err
	}
	return within(bucket, folder(l.key)), nil
}

func within(b storage.Bucket, prefix string) storage.Bucket {
	if prefix == "" {
		return b
	}
	return storage.Prefixed(b, prefix)
}

// openObject reads an argument that names something in a bucket, and opens that.
func (p *program) openObject(ctx context.Context, text string) (storage.Bucket, location, error) {
	l, err := p.locateInBucket(text)
	if err != nil {
		return nil, l, err
	}
	bucket, err := p.open(ctx, l)
	return bucket, l, err
}

// withService does something with a bucket as a whole.
func withService(ctx context.Context, l location, do func(s *storage.Service, bucket string) error) error {
	address, bucket, err := l.accountOf()
	if err != nil {
		return err
	}
	service, err := storage.OpenService(ctx, address)
	if err != nil {
		return err
	}
	return errors.Join(do(service, bucket), service.Close())
}

func (p *program) close() error {
	var failures []error
	for _, bucket := range p.buckets {
		failures = append(failures, storage.Close(bucket))
	}
	return errors.Join(failures...)
}
