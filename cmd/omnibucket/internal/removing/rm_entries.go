package removing

import (
	"context"
	"errors"
	"iter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
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
			emitRemoved(p, entry.Key, entry.Size)
		} else if ctx.Err() == nil {
			p.EmitFailure(entry.Key, failure)
		}
	}
	p.FlushEvents()
	return failures
}
