package main

import (
	"context"
	"errors"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// cpTree copies what is under a source. A source that is one file or object is
// copied as such.
func (p *program) cpTree(ctx context.Context, f *copying, src, dst location) error {
	tree, err := p.isTree(ctx, src)
	switch {
	case err != nil:
		return err
	case !tree:
		return p.cpOne(ctx, f, src, dst)
	}
	if name := treeName(src); name != "" && writtenAsFolder(dst) {
		if dst, err = inside(dst, name); err != nil {
			return err
		}
	}
	if overlap(src, dst) {
		return errOverlap()
	}
	opts := []transfer.Option{transfer.WithConcurrency(transferConcurrency)}
	if len(f.write.attributes) > 0 {
		opts = append(opts, transfer.WithRule(func(string) []storage.WriteOption { return f.write.attributes }))
	}
	_, err = p.transfer(ctx, dst, src, opts)
	return err
}

// isTree reports whether a source of cp -r is a tree rather than one file or object.
func (p *program) isTree(ctx context.Context, src location) (bool, error) {
	if src.kind == onMachine {
		return isDirectory(src.path), nil
	}
	if full, err := p.holds(ctx, src); full || err != nil || src.key == "" {
		return true, err
	}
	bucket, err := p.open(ctx, src)
	if err != nil {
		return false, err
	}
	exists, err := bucket.Exists(ctx, src.key)
	if err == nil && (!exists || src.isFolder()) {
		err = nothingThere(src.key)
	}
	return false, err
}

// holds reports whether there is anything in a folder.
func (p *program) holds(ctx context.Context, l location) (bool, error) {
	bucket, err := p.openFolder(ctx, l)
	if err != nil {
		return false, err
	}
	for _, err := range bucket.List(ctx, storage.WithLimit(1)) {
		return err == nil, err
	}
	return false, nil
}

// treeName is the base name of a tree; "" where the source stands for what is in it.
func treeName(src location) string {
	switch {
	case src.kind == inBucket && !src.isFolder():
		return path.Base(src.key)
	case src.kind == onMachine && !endsAsFolder(src.path):
		return filepath.Base(src.path)
	}
	return ""
}

// overlap reports whether one end is a part of the other.
func overlap(a, b location) bool {
	if a.kind != inBucket || b.kind != inBucket || !sameBucket(a, b) {
		return false
	}
	first, second := a.under+folder(a.key), b.under+folder(b.key)
	return strings.HasPrefix(first, second) || strings.HasPrefix(second, first)
}

// sameBucket compares what says where a bucket is. It does not know of two servers'
// names that are one server's.
func sameBucket(a, b location) bool {
	if a.scheme != b.scheme || a.host != b.host || strings.TrimRight(a.dir, "/") != strings.TrimRight(b.dir, "/") {
		return false
	}
	first, _ := url.ParseQuery(a.query) // storage.Open refuses what is malformed
	second, _ := url.ParseQuery(b.query)
	return first.Get("endpoint") == second.Get("endpoint") && first.Get("account") == second.Get("account")
}

func errOverlap() error {
	return invalid("source and destination must not be a part of each other", "")
}

// transfer runs one job of package transfer: src into dst.
func (p *program) transfer(ctx context.Context, dst, src location, opts []transfer.Option) (*transfer.Report, error) {
	to, err := p.end(ctx, dst)
	if err != nil {
		return nil, err
	}
	from, err := p.end(ctx, src)
	if err != nil {
		return nil, err
	}
	report, err := transfer.Sync(ctx, to, from, opts...)
	if several, ok := err.(interface{ Unwrap() []error }); ok { // a line for each, not one for all
		err = errors.Join(several.Unwrap()...)
	}
	return report, err
}

// end is one end of a job: a directory, or a folder in a bucket.
func (p *program) end(ctx context.Context, l location) (transfer.End, error) {
	switch l.kind {
	case onMachine:
		return transfer.Dir(l.path), nil
	case inBucket:
		bucket, err := p.openFolder(ctx, l)
		return transfer.Bucket(bucket), err
	case stream:
		return transfer.End{}, invalid("standard input and output are no trees", "")
	}
	return transfer.End{}, invalid("address names no bucket", addressHint)
}
