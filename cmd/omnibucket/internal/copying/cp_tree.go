package copying

import (
	"context"
	"path"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// cpTree copies a tree, or the single file or object that the source turns out to be.
func cpTree(ctx context.Context, p *program.Program, f *cpFlags, src, dst location.Location) error {
	srcIsTree, err := isTree(ctx, p, src)
	if err != nil {
		return err
	}
	if !srcIsTree {
		return cpOne(ctx, p, f, src, dst)
	}

	// A destination that is written as a folder gets the tree under the name of the source.
	if name := treeName(src); name != "" && location.WrittenAsFolder(dst) {
		if dst, err = location.InFolder(dst, name); err != nil {
			return err
		}
	}

	opts, err := f.treeOptions()
	if err != nil {
		return err
	}
	if err := checkAttributes(ctx, p, f, dst); err != nil {
		return err
	}

	report, err := syncTrees(ctx, p, dst, src, opts)
	summarizeCopy(p, src, report, err)
	return err
}

// summarizeCopy prints the report of a copy, and how many links and special files of a directory were skipped.
func summarizeCopy(p *program.Program, src location.Location, report *transfer.Report, err error) {
	p.Summarize(report, err)
	if !p.Global.JSON && report != nil && report.Ignored > 0 && src.Kind == location.LocalPath {
		p.Note("omnibucket: symbolic links and special files were not copied: %d", report.Ignored)
	}
}

// treeOptions converts the flags to options of transfer.Sync.
func (f *cpFlags) treeOptions() ([]transfer.Option, error) {
	opts, err := f.filter.Options()
	if err != nil {
		return nil, err
	}
	if f.move {
		opts = append(opts, transfer.WithMove())
	}
	if f.onlyMissing {
		opts = append(opts, transfer.WithMissingOnly())
	}
	if f.noSync {
		opts = append(opts, transfer.WithNoSync())
	}
	if len(f.write.Attributes) > 0 {
		opts = append(opts, transfer.WithRule(func(string) []storage.WriteOption { return f.write.Attributes }))
	}
	return opts, nil
}

// checkAttributes checks, in a dry run, the attributes that flags set. It returns the error with which the destination
// would refuse them.
func checkAttributes(ctx context.Context, p *program.Program, f *cpFlags, dst location.Location) error {
	if !p.Global.DryRun || dst.Kind != location.InBucket || f.write.IsEmpty() {
		return nil
	}
	bucket, err := p.Stores.OpenFolder(ctx, dst)
	if err != nil {
		return err
	}

	// A dry run checks the options of this upload, and then refuses it.
	const anyKey = "any"
	_, err = bucket.Upload(ctx, anyKey, strings.NewReader(""), f.write.ForUpload()...)
	return program.IgnoreDryRun(err)
}

// isTree reports whether a source of cp -r is a directory or a folder, and not a single file or object. If a bucket has
// neither, it returns an ObjectNotFound error.
func isTree(ctx context.Context, p *program.Program, src location.Location) (bool, error) {
	if src.Kind == location.LocalPath {
		return location.IsDirectory(src.Path), nil
	}

	hasContent, err := hasObjects(ctx, p, src)
	if err != nil {
		return false, err
	}
	// A bucket is a tree even without objects.
	if hasContent || src.Key == "" {
		return true, nil
	}

	// Nothing is below the key, so it can only be that of an object.
	bucket, err := p.Stores.Open(ctx, src)
	if err != nil {
		return false, err
	}
	exists, err := bucket.Exists(ctx, src.Key)
	if err != nil {
		return false, err
	}
	if !exists || src.IsFolder() {
		return false, location.NothingUnder(src.Key)
	}
	return false, nil
}

// hasObjects reports whether there is any object in a folder or below it.
func hasObjects(ctx context.Context, p *program.Program, l location.Location) (bool, error) {
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return false, err
	}

	// The first entry is enough.
	for _, err := range program.ListBelow(ctx, bucket, "", storage.WithLimit(1)) {
		if err != nil {
			return false, err
		}
		return true, nil
	}
	return false, nil
}

// treeName returns the base name of a tree, or "" if only its content is copied, as for "dir/".
func treeName(src location.Location) string {
	if src.Kind == location.InBucket && !src.IsFolder() {
		return path.Base(src.Key)
	}
	if src.Kind == location.LocalPath && !location.EndsAsFolder(src.Path) {
		return filepath.Base(src.Path)
	}
	return ""
}

// syncTrees copies a tree with transfer.Sync, shows the progress and returns the report.
func syncTrees(
	ctx context.Context, p *program.Program, dst, src location.Location, extra []transfer.Option,
) (*transfer.Report, error) {
	if dst.Kind == location.LocalPath {
		if err := checkDirectory(dst.Path); err != nil {
			return nil, err
		}
	}
	dstEnd, err := jobEnd(ctx, p, dst)
	if err != nil {
		return nil, err
	}
	srcEnd, err := jobEnd(ctx, p, src)
	if err != nil {
		return nil, err
	}

	report, err := p.RunJob(func(opts ...transfer.Option) (*transfer.Report, error) {
		return transfer.Sync(ctx, dstEnd, srcEnd, append(opts, extra...)...)
	})
	return report, program.Multiline(err)
}

// jobEnd converts a location, which must be a directory or a folder in a bucket, to the source or destination of a job.
func jobEnd(ctx context.Context, p *program.Program, l location.Location) (transfer.End, error) {
	switch l.Kind {
	case location.LocalPath:
		return transfer.Dir(l.Path), nil
	case location.InBucket:
		bucket, err := p.Stores.OpenFolder(ctx, l)
		return transfer.Bucket(bucket), err
	case location.Stream:
		return transfer.End{}, argument.Invalid("location must not be standard input or output", "")
	}
	return transfer.End{}, argument.Invalid("location must have a bucket", location.AddressHint)
}
