package main

import (
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// counting is a listing of folders that counts its calls.
type counting struct {
	folders map[string][]storage.ListEntry
	listed  []string // the prefixes
	found   []string
}

func (c *counting) List(_ context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	var r storage.ListOptions
	for _, o := range opts {
		_ = r.Apply(o)
	}
	c.listed = append(c.listed, r.Prefix)
	return func(yield func(storage.ListEntry, error) bool) {
		folder, _ := location.ParentOf(r.Prefix)
		for _, entry := range c.folders[folder] {
			if strings.HasPrefix(entry.Key, r.Prefix) && !yield(entry, nil) {
				return
			}
		}
	}
}
