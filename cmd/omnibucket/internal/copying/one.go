package copying

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A writeFunc writes one file or object to the destination of a copy. In a dry run, it only checks the options, and
// then fails with an error that program.IgnoreDryRun knows.
type writeFunc func([]storage.TransferOption) (*storage.Attrs, error)

// transferOne copies one file or object with write, shows the progress and reports the event. A dry run only checks
// that the source exists and that the destination can be written.
func transferOne(
	ctx context.Context, p *program.Program, f *cpFlags, event string, src, dst location.Location, write writeFunc,
) error {
	e := program.Event{Event: event, Source: program.NameOf(src), Destination: program.NameOf(dst)}
	text := event + " " + p.Out.Printable(e.Source) + " to " + p.Out.Printable(e.Destination)

	if p.Global.DryRun {
		if err := checkDestination(ctx, p, f, dst, write); err != nil {
			return err
		}
		size, err := sizeOf(ctx, p, src, f.version)
		if err != nil {
			return err
		}
		e.Bytes = size
		p.Emit(e, text)
		return nil
	}

	var opts []storage.TransferOption
	if p.Global.Concurrency > 0 {
		opts = append(opts, storage.WithConcurrency(p.Global.Concurrency))
	}
	attrs, err := withBar(p, write, opts)
	if err != nil {
		return err
	}

	e.Bytes = attrs.Size
	e.Version = attrs.Version
	p.Emit(e, text)

	// The event of mv names the copy that it has made, and the summary the move itself.
	action := event
	if f.move {
		action = "moved"
	}
	p.CountDone(fmt.Sprintf(
		"%s %s to %s (%s)", action, console.Printable(e.Source), console.Printable(e.Destination),
		console.FormatSize(e.Bytes),
	))
	return nil
}

// checkDestination returns the error, as far as a dry run can know it, with which write would fail in a bucket.
func checkDestination(
	ctx context.Context, p *program.Program, f *cpFlags, dst location.Location, write writeFunc,
) error {
	if dst.Kind != location.InBucket {
		return nil
	}

	// This is a dry run, in which write always fails: with an error of its options or, if they are right, with the
	// refusal of the dry run.
	_, refusal := write(nil)
	if err := program.IgnoreDryRun(refusal); err != nil {
		return err
	}

	bucket, err := p.Stores.Open(ctx, dst)
	if err != nil {
		return err
	}

	// Ignore other errors, because credentials that cannot read the destination may permit the write.
	revision := program.With[storage.AttrsOption](nil, f.write.Revision)
	_, err = bucket.Attrs(ctx, dst.Key, revision...)
	code := storage.CodeOf(err)
	if code == storage.InvalidArgument || code == storage.BucketNotFound || code == storage.PreconditionFailed {
		return err
	}

	// Check the condition of the write.
	breaksIfAbsent := f.write.IfAbsent && err == nil
	breaksIfRevision := len(revision) > 0 && code == storage.ObjectNotFound
	if breaksIfAbsent || breaksIfRevision {
		return conditionError(dst.Key, refusal)
	}
	return nil
}

// conditionError returns the error of a write whose condition does not hold. It takes the provider, bucket and key from
// refusal, the error of the dry run, if that has them.
func conditionError(key string, refusal error) error {
	conditionErr := &storage.Error{Code: storage.PreconditionFailed, Key: key}
	if err, ok := errors.AsType[*storage.Error](refusal); ok {
		conditionErr.Provider = err.Provider
		conditionErr.Bucket = err.Bucket
		conditionErr.Key = err.Key
	}
	return conditionErr
}

// withBar calls write with options that show its progress in a bar.
func withBar(p *program.Program, write writeFunc, opts []storage.TransferOption) (*storage.Attrs, error) {
	// Several transfers at the same time share one bar.
	if p.Together != nil {
		progress := p.Together.Begin()
		defer progress.End()
		return write(append(opts, storage.WithProgress(progress.Report)))
	}

	bar := p.StartProgress()
	defer p.EndProgress(bar)
	if bar != nil {
		opts = append(opts, bar.Bytes())
	}
	return write(opts)
}

// sizeOf returns the size of a file or object, or 0 for standard input. It fails if the source does not exist.
func sizeOf(
	ctx context.Context, p *program.Program, src location.Location, version []storage.VersionOption,
) (int64, error) {
	switch src.Kind {
	case location.InBucket:
		bucket, err := p.Stores.Open(ctx, src)
		if err != nil {
			return 0, err
		}
		attrs, err := bucket.Attrs(ctx, src.Key, program.With[storage.AttrsOption](nil, version)...)
		if err != nil {
			return 0, err
		}
		return attrs.Size, nil
	case location.LocalPath:
		info, err := os.Stat(src.Path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return 0, nil
}
