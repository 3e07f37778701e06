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

// Compare compares the times of an object and of its copy. It returns Same if the copy is newer. It returns
// Unclear if different clocks may explain the difference, or if a time is unknown or in the future.
func (c *bucketCopier) Compare(src, dst ends.Entry) Comparison {
	if src.Modified.IsZero() || dst.Modified.IsZero() {
		return Unclear
	}
	if c.settings.isInFuture(src.Modified) || c.settings.isInFuture(dst.Modified) {
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

// CompareDeep compares two objects by their checksums. listed is true if both are still the listed ones.
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
	// A time in the future comes from a wrong clock, and does not show that the copy is up to date.
	mayBeNewer := src.Modified.After(dst.Modified) || c.settings.isInFuture(dst.Modified)
	return c.sameObject(srcAttrs, dstAttrs, mayBeNewer), listed, nil
}

// sameObject reports whether dst is a copy of src. mayBeNewer is true if src may have been written after
// dst. The checksums must then be known and equal, and the properties must be equal, too.
func (c *bucketCopier) sameObject(src, dst *storage.Attrs, mayBeNewer bool) bool {
	if src.Size != dst.Size {
		return false
	}
	haveChecksums := src.CRC32C.Known && dst.CRC32C.Known
	if haveChecksums && src.CRC32C.Sum != dst.CRC32C.Sum {
		return false
	}
	if !mayBeNewer {
		return true
	}
	if !haveChecksums {
		return false
	}

	// A rule may have changed the properties of the copy, so they cannot be compared.
	hasRule := c.settings.Rule != nil
	return hasRule || revisions.SameProperties(&src.Properties, &dst.Properties)
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
	return c.checkOtherSize(ctx, src, attrs.Size)
}

// checkOtherSize fails for a copy whose size is not that of the listed object, unless the source was
// replaced or removed meanwhile. It returns the size of the copy, or 0 if the source cannot be read.
func (c *bucketCopier) checkOtherSize(ctx context.Context, src ends.Entry, copied int64) (int64, error) {
	current, err := c.src.Attrs(ctx, src.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return copied, nil
	}
	if err != nil {
		return 0, err
	}
	if current.Revision == src.Revision {
		// checkListedSize compares this size, and its error contains it.
		current.Size = copied
	}
	return copied, checkListedSize("Copy", src, current)
}

// copyOptions returns the options for copying an object: those for the locks of the source, and then
// those of the rule, which take precedence. If the rule replaces the metadata, the copy keeps the mtime
// of the source.
func (c *bucketCopier) copyOptions(ctx context.Context, key string) ([]storage.CopyOption, error) {
	replacesMetadata := c.ruleReplacesMetadata(key)
	if !c.settings.Locks && !replacesMetadata {
		// The attributes of the source are not needed.
		return ruleOptions[storage.CopyOption](c.settings.Rule, key, nil)
	}

	source, err := c.src.Attrs(ctx, key)
	if err != nil {
		return nil, err
	}
	var extra map[string]string
	if mtime, ok := source.Metadata[mtimeKey]; ok && replacesMetadata {
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

// ruleReplacesMetadata reports whether an option of the rule sets the metadata of an object.
func (c *bucketCopier) ruleReplacesMetadata(key string) bool {
	if c.settings.Rule == nil {
		return false
	}
	var ruled storage.UploadOptions
	for _, o := range c.settings.Rule(key) {
		// If an option is invalid, ruleOptions returns the error.
		_ = ruled.Apply(o)
	}
	return ruled.Metadata != nil
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
