package main

import (
	"context"
	"errors"
	"os"

	"github.com/omnibucket/storage"
)

// one moves one object, shows its progress and reports it as an event. With --dry-run it only
// checks that the source exists, and that the destination may.
func (p *program) one(ctx context.Context, f *cpFlags, name string, src, dst location, move func([]storage.TransferOption) (*storage.Attrs, error)) error {
	e := event{Event: name, Source: p.nameOf(src), Destination: p.nameOf(dst)}
	text := name + " " + p.printable(e.Source) + " to " + p.printable(e.Destination)
	if p.global.dryRun {
		err := p.checkDestination(ctx, f, dst, move)
		if err == nil {
			e.Bytes, err = p.sizeOf(ctx, src, f.version)
		}
		if err == nil {
			p.emit(e, text)
		}
		return err
	}
	var moving []storage.TransferOption
	if p.global.concurrency > 0 {
		moving = append(moving, storage.WithConcurrency(p.global.concurrency))
	}
	attrs, err := p.showing(move, moving)
	if err != nil {
		return err
	}
	e.Bytes, e.Version = attrs.Size, attrs.Version
	p.emit(e, text)
	return nil
}

// checkDestination fails if nothing can be written to a destination in a bucket, or its conditions are
// not met, as far as beginning to move and reading show. It may be allowed to write what it must not
// read.
func (p *program) checkDestination(ctx context.Context, f *cpFlags, dst location, move func([]storage.TransferOption) (*storage.Attrs, error)) error {
	if dst.kind != inBucket {
		return nil
	}
	_, refused := move(nil)
	if err := ofDryRun(refused); err != nil {
		return err
	}
	bucket, err := p.open(ctx, dst)
	if err != nil {
		return err
	}
	var revision []storage.AttrsOption
	for _, o := range f.write.revision {
		revision = append(revision, o)
	}
	_, err = bucket.Attrs(ctx, dst.key, revision...)
	switch code := storage.CodeOf(err); {
	case code == storage.InvalidArgument, code == storage.BucketNotFound, code == storage.PreconditionFailed:
		return err
	case f.write.ifAbsent && err == nil, len(revision) > 0 && code == storage.ObjectNotFound:
		unmet := &storage.Error{Code: storage.PreconditionFailed, Key: dst.key}
		if own, ok := errors.AsType[*storage.Error](refused); ok { // which names the bucket
			unmet.Provider, unmet.Bucket, unmet.Key = own.Provider, own.Bucket, own.Key
		}
		return unmet
	}
	return nil
}

// showing moves one object and shows its progress.
func (p *program) showing(move func([]storage.TransferOption) (*storage.Attrs, error), moving []storage.TransferOption) (*storage.Attrs, error) {
	if p.together != nil {
		report, end := p.together.begin()
		defer end()
		return move(append(moving, storage.WithProgress(report)))
	}
	bar := p.startProgress()
	defer p.endProgress(bar)
	if bar != nil {
		moving = append(moving, bar.bytes())
	}
	return move(moving)
}

// extended returns options with those that say how bytes move.
func extended[O any](opts []O, moving []storage.TransferOption) []O {
	opts = opts[:len(opts):len(opts)]
	for _, o := range moving {
		opts = append(opts, any(o).(O)) // a TransferOption fits every transfer
	}
	return opts
}

// sizeOf returns the size of a source that exists.
func (p *program) sizeOf(ctx context.Context, src location, version []storage.VersionOption) (int64, error) {
	switch src.kind {
	case inBucket:
		bucket, err := p.open(ctx, src)
		if err != nil {
			return 0, err
		}
		var opts []storage.AttrsOption
		for _, o := range version {
			opts = append(opts, o)
		}
		attrs, err := bucket.Attrs(ctx, src.key, opts...)
		if err != nil {
			return 0, err
		}
		return attrs.Size, nil
	case localPath:
		info, err := os.Stat(src.path)
		if err != nil {
			return 0, err
		}
		return info.Size(), nil
	}
	return 0, nil
}

// nameOf returns a location as a line of output shows it: the address without parameters, or
// the path.
func (p *program) nameOf(l location) string {
	switch {
	case l.path != "":
		return l.path
	case l.kind == stream:
		return "-"
	}
	l.query = ""
	return l.addressWithKey()
}
