package transfer

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/properties"
)

var _ transferrer = (*bucketCopier)(nil)

// A bucketCopier transfers files from a bucket to a bucket.
type bucketCopier struct {
	from     Source
	to       storage.ReadWriter
	settings *settings
}

// compare compares the times of two objects. It returns the constant unclear if different clocks
// may explain the difference. It also returns unclear if a time is not known or lies in the future.
func (c *bucketCopier) compare(src, dst entry) comparison {
	if src.modified.IsZero() || dst.modified.IsZero() || c.settings.future(src.modified) || c.settings.future(dst.modified) {
		return unclear
	}
	if dst.modified.After(src.modified.Add(skew)) {
		return same
	}
	if src.modified.After(dst.modified.Add(skew)) {
		return differs
	}
	return unclear
}

// compareDeep compares checksums. If the source seems to be younger, it also compares attributes,
// unless a rule of WithRule may have changed them.
func (c *bucketCopier) compareDeep(ctx context.Context, src, dst entry) (equal, listed bool, err error) {
	srcAttrs, err := c.from.Attrs(ctx, src.key)
	if err != nil {
		return false, false, err
	}
	dstAttrs, err := c.to.Attrs(ctx, src.key)
	younger := src.modified.After(dst.modified) || c.settings.future(dst.modified)
	if storage.CodeOf(err) == storage.ObjectNotFound { // removed meanwhile
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	listed = srcAttrs.Revision == src.revision && dstAttrs.Revision == dst.revision
	if srcAttrs.Size != dstAttrs.Size {
		return false, false, nil
	}
	if !srcAttrs.CRC32C.Known || !dstAttrs.CRC32C.Known {
		return !younger, listed, nil
	}
	if srcAttrs.CRC32C.Sum != dstAttrs.CRC32C.Sum {
		return false, false, nil
	}
	return !younger || c.settings.rule != nil || properties.Same(&srcAttrs.Properties, &dstAttrs.Properties), listed, nil
}

func (c *bucketCopier) transfer(
	ctx context.Context, src entry, _ bool, requests int, moved func(done, total int64),
) (int64, error) {
	opts, err := c.options(ctx, src.key)
	if err != nil {
		return 0, err
	}
	opts = append(opts, storage.WithConcurrency(requests), storage.WithProgress(moved))
	if file := resumeDir(c.settings.resume).file(src.key, src.size); file != "" {
		opts = append(opts, storage.WithResume(file))
	}
	attrs, err := storage.Copy(ctx, c.to, src.key, c.from, src.key, opts...)
	if err != nil {
		return 0, err
	}
	if attrs.Size == src.size {
		return attrs.Size, nil
	}
	current, err := c.from.Attrs(ctx, src.key)
	if storage.CodeOf(err) == storage.ObjectNotFound { // removed since
		return attrs.Size, nil
	}
	if err != nil {
		return 0, err
	}
	if current.Revision == src.revision { // the source has not changed since it was listed
		current.Size = attrs.Size
	}
	return attrs.Size, checkListedSize("Copy", src, current)
}

// The method options returns the options for copying the object with this key. The options for the
// locks of the source come first. The options of the rule come last and take precedence. If the
// rule replaces the metadata, the copy keeps the mtime of the source.
func (c *bucketCopier) options(ctx context.Context, key string) ([]storage.CopyOption, error) {
	var given storage.UploadOptions
	if c.settings.rule != nil {
		for _, o := range c.settings.rule(key) {
			_ = given.Apply(o) // the same error is returned by ruleOptions
		}
	}
	if !c.settings.locks && given.Metadata == nil {
		return ruleOptions[storage.CopyOption](c.settings.rule, key, nil)
	}
	source, err := c.from.Attrs(ctx, key)
	if err != nil {
		return nil, err
	}
	var extra map[string]string
	if mtime, ok := source.Metadata[mtimeKey]; ok && given.Metadata != nil {
		extra = map[string]string{mtimeKey: mtime}
	}
	opts, err := ruleOptions[storage.CopyOption](c.settings.rule, key, extra)
	if c.settings.locks {
		opts = append(c.lockOptions(source), opts...)
	}
	return opts, err
}

// lockOptions returns options that set the retention and the legal hold of the source. If the
// source has versions, it also returns WithVersion. The copy then reads the version that has the
// retention and the legal hold.
func (c *bucketCopier) lockOptions(source *storage.Attrs) (opts []storage.CopyOption) {
	if source.Version != "" && storage.Supports(c.from, storage.Versioning) {
		opts = append(opts, storage.WithVersion(source.Version))
	}
	// A retention that has ended is left out, because WithRetention refuses a time in the past.
	if r := source.Retention; r.Until.After(time.Now()) {
		opts = append(opts, storage.WithRetention(r.Until, r.Mode))
	}
	if source.LegalHold {
		opts = append(opts, storage.WithLegalHold())
	}
	return opts
}
