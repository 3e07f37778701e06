package main

import (
	"context"
	"os"

	"github.com/omnibucket/storage"
)

// one moves one object, shows its progress and reports it as an event. With --dry-run it only
// checks that the source exists, and that the bucket and key of the destination may.
func (p *program) one(ctx context.Context, name string, src, dst location, move func([]storage.TransferOption) (*storage.Attrs, error)) error {
	e := event{Event: name, Source: p.nameOf(src), Destination: p.nameOf(dst)}
	text := name + " " + p.printable(e.Source) + " to " + p.printable(e.Destination)
	if p.global.dryRun {
		var err error
		if e.Bytes, err = p.sizeOf(ctx, src); err == nil {
			err = p.checkDestination(ctx, dst)
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

// checkDestination fails if nothing can be written to a destination in a bucket, as far as reading
// it shows. It may be allowed to write what it must not read.
func (p *program) checkDestination(ctx context.Context, dst location) error {
	if dst.kind != inBucket {
		return nil
	}
	bucket, err := p.open(ctx, dst)
	if err != nil {
		return err
	}
	_, err = bucket.Exists(ctx, dst.key)
	switch storage.CodeOf(err) {
	case storage.InvalidArgument, storage.BucketNotFound:
		return err
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
func (p *program) sizeOf(ctx context.Context, src location) (int64, error) {
	switch src.kind {
	case inBucket:
		bucket, err := p.open(ctx, src)
		if err != nil {
			return 0, err
		}
		attrs, err := bucket.Attrs(ctx, src.key)
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
