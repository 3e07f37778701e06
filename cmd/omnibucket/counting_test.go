package main

import (
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
)

// A recordingLister lists the entries of folders, and records the prefix of each listing.
type recordingLister struct {
	folders  map[string][]storage.ListEntry
	prefixes []string
}

// List lists the entries of one folder whose keys begin with the prefix.
func (r *recordingLister) List(_ context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	var applied storage.ListOptions
	for _, opt := range opts {
		_ = applied.Apply(opt)
	}
	prefix := applied.Prefix
	r.prefixes = append(r.prefixes, prefix)
	return func(yield func(storage.ListEntry, error) bool) {
		folder, _ := location.ParentOf(prefix)
		for _, entry := range r.folders[folder] {
			if !strings.HasPrefix(entry.Key, prefix) {
				continue
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}
