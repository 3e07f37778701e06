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

// transferOne calls move to copy or move one file or object, shows the progress and reports the event name. A dry run
// only checks that the source exists and that the destination can be written.
func transferOne(
	ctx context.Context, p *program.Program, f *cpFlags, name string, src, dst location.Location,
	move func([]storage.TransferOption) (*storage.Attrs, error),
) error {
	e := program.Event{Event: name, Source: program.NameOf(src), Destination: program.NameOf(dst)}
	text := name + " " + p.Out.Printable(e.Source) + " to " + p.Out.Printable(e.Destination)

	if p.Global.DryRun {
		if err := checkDestination(ctx, p, f, dst, move); err != nil {
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

	var moveOpts []storage.TransferOption
	if p.Global.Concurrency > 0 {
		moveOpts = append(moveOpts, storage.WithConcurrency(p.Global.Concurrency))
	}
	attrs, err := withBar(p, move, moveOpts)
	if err != nil {
		return err
	}

	e.Bytes = attrs.Size
	e.Version = attrs.Version
	p.Emit(e, text)
	// The event names the copy that the move has made, and the summary the move itself.
	if f.move {
		name = "moved"
	}
	p.CountDone(fmt.Sprintf(
		"%s %s to %s (%s)", name, console.Printable(e.Source), console.Printable(e.Destination),
		console.FormatSize(e.Bytes),
	))
	return nil
}

// checkDestination returns the error, as far as a dry run can know it, with which writing to a bucket would fail.
func checkDestination(
	ctx context.Context, p *program.Program, f *cpFlags, dst location.Location,
	move func([]storage.TransferOption) (*storage.Attrs, error),
) error {
	if dst.Kind != location.InBucket {
		return nil
	}

	// A dry run checks the options of the write, and then refuses it.
	_, refusal := move(nil)
	if err := program.OfDryRun(refusal); err != nil {
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

	existsAlready := f.write.IfAbsent && err == nil
	isMissing := len(revision) > 0 && code == storage.ObjectNotFound
	if !existsAlready && !isMissing {
		return nil
	}

	conditionErr := &storage.Error{Code: storage.PreconditionFailed, Key: dst.Key}
	// The error of the dry run contains the bucket's name.
	if e, ok := errors.AsType[*storage.Error](refusal); ok {
		conditionErr.Provider = e.Provider
		conditionErr.Bucket = e.Bucket
		conditionErr.Key = e.Key
	}
	return conditionErr
}

// withBar calls move with options that show its progress in a bar.
func withBar(
	p *program.Program, move func([]storage.TransferOption) (*storage.Attrs, error), moveOpts []storage.TransferOption,
) (*storage.Attrs, error) {
	if p.Together != nil {
		progress := p.Together.Begin()
		defer progress.End()
		return move(append(moveOpts, storage.WithProgress(progress.Report)))
	}

	bar := p.StartProgress()
	defer p.EndProgress(bar)
	if bar != nil {
		moveOpts = append(moveOpts, bar.Bytes())
	}
	return move(moveOpts)
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
