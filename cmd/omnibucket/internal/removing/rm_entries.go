package removing

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/running"
)

// maxRemoveFailures is the number of failures after which rm stops.
const maxRemoveFailures = 1000

// removeOrShow removes objects or, with --dry-run, only reports them.
func removeOrShow(
	ctx context.Context, p *program.Program, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error],
) error {
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

// removeEntries removes objects and reports the result of each. It stops after an error of the
// listing, or after maxRemoveFailures failures.
func removeEntries(
	ctx context.Context, p *program.Program, bucket storage.Remover, entries iter.Seq2[storage.ListEntry, error],
) error {
	// EachGroup takes a sequence without errors, so listErr keeps the error that ends the listing.
	var listErr error
	versions := func(yield func(storage.VersionEntry) bool) {
		for entry, err := range entries {
			if err != nil {
				listErr = err
				return
			}
			if !yield(storage.VersionEntry{ListEntry: entry}) {
				return
			}
		}
	}

	var removed removedCount
	remove := func(group []storage.VersionEntry) (errs []error, more bool) {
		return removeGroup(ctx, p, bucket, group, &removed), ctx.Err() == nil
	}
	_, failures := running.EachGroup(versions, piecemeal.MaxFailures, maxRemoveFailures, remove)

	n := removed.objects.Load()
	hasSummary := n > 0 && !p.Global.JSON && ctx.Err() == nil
	if hasSummary {
		p.Note("%d deleted (%s)", n, console.FormatSize(removed.bytes.Load()))
	}
	return errors.Join(append(failures, listErr)...)
}

// A removedCount counts what was removed.
type removedCount struct{ objects, bytes atomic.Int64 }

// removeGroup removes a group of objects, and counts and prints the result for each one. It returns the failures.
func removeGroup(
	ctx context.Context, p *program.Program, bucket storage.Remover, group []storage.VersionEntry,
	count *removedCount,
) []error {
	const ofVersions = false // the current objects are removed
	// earlyErr is the reason why the removal ended before it came to all entries.
	errs, earlyErr := piecemeal.Remove(ctx, bucket, group, ofVersions)

	var failures []error
	for i, err := range errs {
		if err == nil {
			count.objects.Add(1)
			count.bytes.Add(group[i].Size)
			emitRemoved(p, group[i].Key, group[i].Size)
			continue
		}
		if err == earlyErr {
			// The removal did not come to this entry. The error is added once, after the loop.
			continue
		}
		failures = append(failures, err)
		if ctx.Err() == nil {
			p.EmitFailure(group[i].Key, err)
		}
	}
	p.FlushEvents()

	if earlyErr != nil {
		failures = append(failures, earlyErr)
	}
	return failures
}
