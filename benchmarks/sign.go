package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

const addresses = 1000

// signCase has one row for each driver; nothing is asked of any store.
func signCase() benchCase {
	base := storage.WithSigningBaseURL("https://files.example.com/")
	return benchCase{
		name: "sign-1000", title: "sign 1,000 addresses to download from, as a page of images takes them",
		rows: []row{
			{name: "memory", setup: signed(many(func(context.Context) (storage.Bucket, error) {
				return memstore.New(base), nil
			}))},
			{name: "local", setup: signInDirectory(base)},
			{name: "s3", setup: signed(many(func(ctx context.Context) (storage.Bucket, error) {
				return ownS3(ctx, nowhere)
			}))},
			{name: "gcs", setup: signed(many(openSigningGCS))},
			{name: "azure", setup: signed(many(func(ctx context.Context) (storage.Bucket, error) {
				return ownAzure(ctx, nowhereAzure)
			}))},
		},
	}
}

func signInDirectory(base storage.OpenOption) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		dir, err := e.dir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(dir, "bucket")
		if err := os.Mkdir(dir, 0o777); err != nil {
			return nil, err
		}
		return signed(many(func(context.Context) (storage.Bucket, error) {
			return local.Open(dir, local.Config{}, base)
		}))(e)
	}
}

// many signs as many addresses for each operation.
func many(open func(context.Context) (storage.Bucket, error)) func(context.Context) (func(string) error, error) {
	return func(ctx context.Context) (func(string) error, error) {
		b, err := open(ctx)
		return func(key string) error {
			for range addresses {
				if _, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour)); err != nil {
					return err
				}
			}
			return nil
		}, err
	}
}

// signed signs one address for each operation.
func signed(open func(ctx context.Context) (func(key string) error, error)) func(*env) (func(int) error, error) {
	return func(e *env) (func(int) error, error) {
		sign, err := open(e.ctx)
		keys := keyRing(64)
		return func(n int) error {
			for i := range n {
				if err := sign(keys[i%len(keys)]); err != nil {
					return err
				}
			}
			return nil
		}, err
	}
}
