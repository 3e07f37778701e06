// Package library has functions for other programs.
package library

import (
	"context"

	"github.com/omnibucket/storage"
)

// Clean removes an object.
func Clean(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "a") }

// A Store reads objects.
type Store struct{ Bucket storage.Bucket }

// Has reports whether there is an object.
func (s *Store) Has(ctx context.Context) (bool, error) { return s.Bucket.Exists(ctx, "a") }

func inner(ctx context.Context, b storage.Bucket) { _, _ = b.Attrs(ctx, "a") }
