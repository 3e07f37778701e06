package transfer

import (
	"context"
	"fmt"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
)

var _ transferrer = (*uploader)(nil)

// An uploader transfers files from a directory to a bucket.
type uploader struct {
	from     *tree
	to       storage.ReadWriter
	settings *settings
}

// compare returns the constant same if the object was written long after the file was changed.
// Otherwise, it returns the constant unclear. A time in the future comes from a wrong clock, so
// compare does not use it.
func (u *uploader) compare(src, dst entry) comparison {
	changed := src.modified
	if u.settings.cache != nil && src.written.After(changed) { // an older file may have replaced the file
		changed = src.written
	}
	if !u.settings.future(dst.modified) && dst.modified.After(changed.Add(skew)) {
		return same
	}
	return unclear
}

// compareDeep first compares a small file with the ETag, which needs no request. Then it reads the
// attributes of the object. An upload by this package stores the time of the file in the metadata.
// If that time is equal, the file is the same. Otherwise compareDeep compares checksums, if the
// store keeps them.
func (u *uploader) compareDeep(ctx context.Context, src, dst entry) (equal, listed bool, err error) {
	if u.from.matchesETag(ctx, src, dst.etag) {
		return true, true, nil
	}
	attrs, err := u.to.Attrs(ctx, src.key)
	if storage.CodeOf(err) == storage.ObjectNotFound { // removed meanwhile
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	listed = attrs.Revision == dst.revision
	if attrs.Size != src.size {
		return false, false, nil
	}
	mtime, ok := attrs.Metadata[mtimeKey]
	if ok && sameTime(src.modified, parseMtime(mtime)) {
		return true, listed, nil
	}
	if attrs.CRC32C.Known {
		sum, err := u.from.checksum(ctx, src.key)
		return err == nil && sum == attrs.CRC32C.Sum, listed, err
	}
	return !ok && !dst.modified.Before(src.modified) && !u.settings.future(dst.modified), listed, nil
}

func (u *uploader) transfer(
	ctx context.Context, src entry, _ bool, requests int, moved func(done, total int64),
) (int64, error) {
	f, info, err := u.from.open(src.key)
	if err != nil {
		return 0, fileError("Upload", src.key, err)
	}
	defer f.Close() // the file was only read, so an error does not matter
	content := localfile.NewStable(f, info)
	if err := content.Empty(); err != nil {
		return 0, fileError("Upload", src.key, err)
	}
	var extra map[string]string
	// Store the time of the file in the metadata. In a store without metadata, compareDeep compares
	// checksums instead.
	if storage.Supports(u.to, storage.Metadata) {
		t := content.Modified()
		extra = map[string]string{mtimeKey: fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())}
	}
	opts, err := ruleOptions[storage.UploadOption](u.settings.rule, src.key, extra)
	if err != nil {
		return 0, err
	}
	opts = append(opts, storage.WithSize(content.Size()), storage.WithConcurrency(requests), storage.WithProgress(moved))
	if file := resumeDir(u.settings.resume).file(src.key, content.Size()); file != "" {
		opts = append(opts, storage.WithResume(file))
	}
	attrs, err := u.to.Upload(ctx, src.key, content.Reader(), opts...)
	if err != nil && content.Changed() {
		return 0, fileError("Upload", src.key, localfile.ErrChanged)
	}
	if err == nil {
		u.settings.cache.note(fileEntry(src.key, info), entry{size: content.Size(), revision: attrs.Revision})
	}
	return content.Size(), err
}

// ruleOptions returns the options that the function rule returns for key. If extra is not nil,
// ruleOptions adds an option that sets the rule's metadata and the metadata in extra. This option
// must set both, because it replaces all metadata of earlier options.
func ruleOptions[O any](rule func(key string) []storage.WriteOption, key string, extra map[string]string) ([]O, error) {
	var given []storage.WriteOption
	if rule != nil {
		given = rule(key)
	}
	var r storage.UploadOptions
	opts := make([]O, 0, len(given)+4)
	for _, o := range given {
		if err := r.Apply(o); err != nil {
			return nil, &storage.Error{Code: storage.CodeOf(err), Op: "WithRule", Key: key, Err: err}
		}
		opts = append(opts, any(o).(O))
	}
	if extra != nil {
		metadata := map[string]string{}
		maps.Copy(metadata, r.Metadata)
		maps.Copy(metadata, extra)
		opts = append(opts, any(storage.WithMetadata(metadata)).(O))
	}
	return opts, nil
}
