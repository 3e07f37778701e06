//go:build !extra

package main

import (
	"context"

	"github.com/omnibucket/storage"
)

func more(ctx context.Context, b storage.Bucket) { _, _ = b.Exists(ctx, "a") }
