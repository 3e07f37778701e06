package removing

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/joined"
	"github.com/omnibucket/storage/internal/removal"
)

const (
	// removedAtOnce is how many objects rm removes before it reports them: the largest batch of
	// any provider.
	removedAtOnce = 1000
	// maxRemoveFailures bounds what rm joins into its error.
	maxRemoveFailures = 1000
)

// removeOrShow removes objects or, with --dry-run, only reports them.
func removeOrShow(ctx context.Context, p *program.Program, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error]) error {
	if !p.Global.DryRun {
		return removeEntries(ctx, p, bucket, entries)
	}
	for entry, err := range entries {
		if err != nil {
			return err
		}
		emitRemoved(p, entry.Key, entry.Size)
	}
	return nil
}

// removeEntries removes objects, and reports each after it was removed or failed. It ends after
// an error of the listing, and after maxRemoveFailures.
func removeEntries(ctx context.Context, p *program.Program, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error]) error {
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
		failures = append(failures, removeGroup(ctx, p, bucket, group)...)
		group = group[:0]
		if ctx.Err() != nil || len(failures) >= maxRemoveFailures {
			break
		}
	}
	return errors.Join(append(failures, removeGroup(ctx, p, bucket, group)...)...)
}

// removeGroup removes objects, reports each, and returns the failures.
func removeGroup(ctx context.Context, p *program.Program, bucket storage.Remover, group []storage.ListEntry) []error {
	if len(group) == 0 {
		return nil
	}
	removed, err := storage.RemoveAll(ctx, bucket, removal.Map(slices.Values(group), func(entry storage.ListEntry) string { return entry.Key }))
	failures := joined.Errors(err)
	left := map[string]error{}
	for _, failure := range failures {
		if own, ok := errors.AsType[*storage.Error](failure); ok && own.Key != "" { // else RemoveAll ended early
			left[own.Key] = failure
		}
	}
	tried := removed + len(left)
	for i, entry := range group {
		failure := left[entry.Key]
		switch {
		case failure == nil && i < tried:
			emitRemoved(p, entry.Key, entry.Size)
		case failure != nil && ctx.Err() == nil:
			p.EmitFailure(entry.Key, failure)
		}
	}
	p.FlushEvents()
	return failures
}
