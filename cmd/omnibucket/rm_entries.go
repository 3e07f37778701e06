package main

import (
	"context"
	"errors"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/joined"
)

const (
	// removedAtOnce is how many objects rm removes before it reports them: the largest batch of
	// any provider.
	removedAtOnce = 1000
	// maxRemoveFailures bounds what rm joins into its error.
	maxRemoveFailures = 1000
)

// removeOrShow removes objects or, with --dry-run, only reports them.
func (p *program) removeOrShow(ctx context.Context, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error]) error {
	if !p.global.dryRun {
		return p.removeEntries(ctx, bucket, entries)
	}
	for entry, err := range entries {
		if err != nil {
			return err
		}
		p.emitRemoved(entry.Key, entry.Size)
	}
	return nil
}

// removeEntries removes objects, and reports each after it was removed or failed. It ends after
// an error of the listing, and after maxRemoveFailures.
func (p *program) removeEntries(ctx context.Context, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error]) error {
	var failures []error
	group := make([]storage.ListEntry, 0, removedAtOnce)
	for entry, err := range entries {
		if err != nil {
			failures = append(failures, err)
			break
		}
		if group = append(group, entry); len(group) < removedAtOnce {
			continue
		}
		failures = append(failures, p.removeGroup(ctx, bucket, group)...)
		group = group[:0]
		if ctx.Err() != nil || len(failures) >= maxRemoveFailures {
			break
		}
	}
	return errors.Join(append(failures, p.removeGroup(ctx, bucket, group)...)...)
}

// removeGroup removes objects, reports each, and returns the failures.
func (p *program) removeGroup(ctx context.Context, bucket storage.Remover, group []storage.ListEntry) []error {
	if len(group) == 0 {
		return nil
	}
	_, err := storage.RemoveAll(ctx, bucket, func(yield func(string) bool) {
		for _, entry := range group {
			if !yield(entry.Key) {
				return
			}
		}
	})
	failures := joined.Errors(err)
	left := map[string]error{}
	for _, failure := range failures {
		var own *storage.Error
		if !errors.As(failure, &own) || own.Key == "" { // RemoveAll ended early
			return failures
		}
		left[own.Key] = failure
	}
	for _, entry := range group {
		if failure := left[entry.Key]; failure == nil {
			p.emitRemoved(entry.Key, entry.Size)
		} else if ctx.Err() == nil {
			p.emitFailure(entry.Key, failure)
		}
	}
	p.flushEvents()
	return failures
}
