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

// List lists the entries of one folder that begin with the prefix.
func (c *counting) List(_ context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	var applied storage.ListOptions
	for _, opt := range opts {
		_ = applied.Apply(opt)
	}
	prefix := applied.Prefix
	c.listed = append(c.listed, prefix)
	return func(yield func(storage.ListEntry, error) bool) {
		folder, _ := location.ParentOf(prefix)
		for _, entry := range c.folders[folder] {
			if !strings.HasPrefix(entry.Key, prefix) {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}
