package main

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// cpTree copies a tree. If the source is one file or object, it copies that.
func (p *program) cpTree(ctx context.Context, f *cpFlags, src, dst location) error {
	tree, err := p.isTree(ctx, src)
	switch {
	case err != nil:
		return err
	case !tree:
		return p.cpOne(ctx, f, src, dst)
	}
	if name := treeName(src); name != "" && writtenAsFolder(dst) {
		if dst, err = inFolder(dst, name); err != nil {
			return err
		}
	}
	opts, err := f.treeOptions()
	if err == nil {
		err = p.checkAttributes(ctx, f, dst)
	}
	if err != nil {
		return err
	}
	report, err := p.transfer(ctx, dst, src, opts)
	p.summarizeCopy(src, report, err)
	return err
}

// summarizeCopy prints the report of a copy with --json or --verbose: cp of a shell prints none.
// It always says that links and special files of a directory were not copied.
func (p *program) summarizeCopy(src location, report *transfer.Report, err error) {
	if p.global.json || p.global.verbose {
		p.summarize(report, err)
	} else if report != nil && report.Ignored > 0 && src.kind == localPath {
		p.note("omnibucket: symbolic links and special files were not copied: %d", report.Ignored)
	}
}

// treeOptions returns the flags as options of a job.
func (f *cpFlags) treeOptions() ([]transfer.Option, error) {
	opts, err := f.filter.options()
	if f.move {
		opts = append(opts, transfer.WithMove())
	}
	if f.missing {
		opts = append(opts, transfer.WithMissingOnly())
	}
	if f.noSync {
		opts = append(opts, transfer.WithNoSync())
	}
	if len(f.write.attributes) > 0 {
		opts = append(opts, transfer.WithRule(func(string) []storage.WriteOption { return f.write.attributes }))
	}
	return opts, err
}

// checkAttributes fails in a dry run if the destination refuses the attributes of the flags.
func (p *program) checkAttributes(ctx context.Context, f *cpFlags, dst location) error {
	if !p.global.dryRun || dst.kind != inBucket || f.write.isEmpty() {
		return nil
	}
	bucket, err := p.openFolder(ctx, dst)
	if err != nil {
		return err
	}
	_, err = bucket.Upload(ctx, "any", strings.NewReader(""), f.write.forUpload()...)
	return ofDryRun(err)
}

// isTree reports whether a source of cp -r is a tree rather than one file or object.
func (p *program) isTree(ctx context.Context, src location) (bool, error) {
	if src.kind == localPath {
		return isDirectory(src.path), nil
	}
	if full, err := p.hasObjects(ctx, src); full || err != nil || src.key == "" {
		return true, err
	}
	bucket, err := p.open(ctx, src)
	if err != nil {
		return false, err
	}
	exists, err := bucket.Exists(ctx, src.key)
	if err == nil && (!exists || src.isFolder()) {
		err = errNothingUnder(src.key)
	}
	return false, err
}

// hasObjects reports whether a folder has an object.
func (p *program) hasObjects(ctx context.Context, l location) (bool, error) {
	bucket, err := p.openFolder(ctx, l)
	if err != nil {
		return false, err
	}
	for _, err := range bucket.List(ctx, storage.WithLimit(1)) {
		return err == nil, err
	}
	return false, nil
}

// treeName returns the base name of a tree, or "" if only its content is copied.
func treeName(src location) string {
	switch {
	case src.kind == inBucket && !src.isFolder():
		return path.Base(src.key)
	case src.kind == localPath && !endsAsFolder(src.path):
		return filepath.Base(src.path)
	}
	return ""
}

// transfer runs a job of package transfer from src to dst.
func (p *program) transfer(ctx context.Context, dst, src location, own []transfer.Option) (*transfer.Report, error) {
	if dst.kind == localPath {
		if err := checkDirectory(dst.path); err != nil {
			return nil, err
		}
	}
	to, err := p.end(ctx, dst)
	if err != nil {
		return nil, err
	}
	from, err := p.end(ctx, src)
	if err != nil {
		return nil, err
	}
	report, err := p.runJob(func(opts ...transfer.Option) (*transfer.Report, error) {
		return transfer.Sync(ctx, to, from, append(opts, own...)...)
	})
	err = inLines(err)
	return report, err
}

// end returns an end of a job: a directory, or a folder in a bucket.
func (p *program) end(ctx context.Context, l location) (transfer.End, error) {
	switch l.kind {
	case localPath:
		return transfer.Dir(l.path), nil
	case inBucket:
		bucket, err := p.openFolder(ctx, l)
		return transfer.Bucket(bucket), err
	case stream:
		return transfer.End{}, invalid("location must not be standard input or output", "")
	}
	return transfer.End{}, invalid("address must have a bucket", addressHint)
}
