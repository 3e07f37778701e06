package copier

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

var _ Copier = (*bucketCopier)(nil)

// A bucketCopier transfers files from a bucket to a bucket.
type bucketCopier struct {
	src      ends.Source
	dst      storage.ReadWriter
	settings *Settings
}

// Compare compares the times of two objects. It returns Unclear if different clocks may explain the
// difference, or if a time is unknown or in the future.
func (c *bucketCopier) Compare(src, dst ends.Entry) Comparison {
	if src.Modified.IsZero() || dst.Modified.IsZero() {
		return Unclear
	}
	if c.settings.future(src.Modified) || c.settings.future(dst.Modified) {
		return Unclear
	}
	if dst.Modified.After(src.Modified.Add(skew)) {
		return Same
	}
	if src.Modified.After(dst.Modified.Add(skew)) {
		return Differs
	}
	return Unclear
}

// CompareDeep compares checksums. If the source seems to be younger, it also compares attributes,
// unless a rule may have changed those of the copy.
func (c *bucketCopier) CompareDeep(ctx context.Context, src, dst ends.Entry) (equal, listed bool, err error) {
	srcAttrs, err := c.src.Attrs(ctx, src.Key)
	if err != nil {
		return false, false, err
	}
	dstAttrs, err := c.dst.Attrs(ctx, src.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The object was removed meanwhile.
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}

	listed = srcAttrs.Revision == src.Revision && dstAttrs.Revision == dst.Revision
	srcIsYounger := src.Modified.After(dst.Modified) || c.settings.future(dst.Modified)

	if srcAttrs.Size != dstAttrs.Size {
		return false, false, nil
	}
	// Without checksums, only the times are left to compare.
	if !srcAttrs.CRC32C.Known || !dstAttrs.CRC32C.Known {
		return !srcIsYounger, listed, nil
	}
	if srcAttrs.CRC32C.Sum != dstAttrs.CRC32C.Sum {
		return false, false, nil
	}

	if srcIsYounger && c.settings.Rule == nil {
		return revisions.SameProperties(&srcAttrs.Properties, &dstAttrs.Properties), listed, nil
	}
	return true, listed, nil
}

// Transfer copies an object to the same key, and returns the number of bytes of the copy.
func (c *bucketCopier) Transfer(
	ctx context.Context, src ends.Entry, _ bool, requests int, moved func(done, total int64),
) (int64, error) {
	opts, err := c.copyOptions(ctx, src.Key)
	if err != nil {
		return 0, err
	}
	opts = append(opts, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if file := c.settings.Resume.stateFile(src.Key, src.Size); file != "" {
		opts = append(opts, storage.WithResume(file))
	}

	attrs, err := storage.Copy(ctx, c.dst, src.Key, c.src, src.Key, opts...)
	if err != nil {
		return 0, err
	}
	if attrs.Size == src.Size {
		return attrs.Size, nil
	}

	// A copy with another size than the listed object is wrong, unless the source was replaced meanwhile.
	current, err := c.src.Attrs(ctx, src.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The source was removed meanwhile.
		return attrs.Size, nil
	}
	if err != nil {
		return 0, err
	}
	if current.Revision == src.Revision {
		// The error then tells the size of the copy.
		current.Size = attrs.Size
	}
	return attrs.Size, checkListedSize("Copy", src, current)
}

// copyOptions returns the options for copying an object. Those of the rule come last, so that they take
// precedence over those for the locks of the source. If the rule replaces the metadata, the copy keeps
// the mtime of the source.
func (c *bucketCopier) copyOptions(ctx context.Context, key string) ([]storage.CopyOption, error) {
	var ruled storage.UploadOptions
	if c.settings.Rule != nil {
		for _, o := range c.settings.Rule(key) {
			// The same error is returned by ruleOptions.
			_ = ruled.Apply(o)
		}
	}
	if !c.settings.Locks && ruled.Metadata == nil {
		return ruleOptions[storage.CopyOption](c.settings.Rule, key, nil)
	}

	source, err := c.src.Attrs(ctx, key)
	if err != nil {
		return nil, err
	}
	var extra map[string]string
	if mtime, ok := source.Metadata[mtimeKey]; ok && ruled.Metadata != nil {
		extra = map[string]string{mtimeKey: mtime}
	}
	opts, err := ruleOptions[storage.CopyOption](c.settings.Rule, key, extra)
	if err != nil {
		return nil, err
	}
	if c.settings.Locks {
		opts = append(c.lockOptions(source), opts...)
	}
	return opts, nil
}

// lockOptions returns the options that give a copy the retention and the legal hold of the source. In a
// bucket with versions, they also name the version that has these, so that the copy reads it.
func (c *bucketCopier) lockOptions(source *storage.Attrs) (opts []storage.CopyOption) {
	if source.Version != "" && storage.Supports(c.src, storage.Versioning) {
		opts = append(opts, storage.WithVersion(source.Version))
	}
	// A retention that has ended is left out, because WithRetention refuses a time in the past.
	if retention := source.Retention; retention.Until.After(time.Now()) {
		opts = append(opts, storage.WithRetention(retention.Until, retention.Mode))
	}
	if source.LegalHold {
		opts = append(opts, storage.WithLegalHold())
	}
	return opts
}
