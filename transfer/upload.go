package transfer

import (
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage"
)

var _ transferrer = (*uploader)(nil)

// uploader leads from a directory to a bucket.
type uploader struct {
	from   *tree
	to     storage.ReadWriter
	rule   func(key string) []storage.WriteOption
	resume resumeDir
	// future reports whether a time is one that no right clock can have written yet.
	future func(time.Time) bool
}

// compare: an object that was written when the file had long been as it is holds
// it. The time of an object that was written by a wrong clock says nothing.
func (u *uploader) compare(src, dst entry) comparison {
	if !u.future(dst.modified) && dst.modified.After(src.modified.Add(skew)) {
		return same
	}
	return unclear
}

// look: an upload of ours says what file it is of; of others the bytes tell.
func (u *uploader) compareDeep(ctx context.Context, src, dst entry) (bool, error) {
	attrs, err := u.to.Attrs(ctx, src.key)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound: // removed meanwhile
		return false, nil
	case err != nil:
		return false, err
	case attrs.Size != src.size:
		return false, nil
	}
	kept, ok := attrs.Metadata[mtimeKey]
	switch {
	case ok && sameTime(src.modified, parseMtime(kept)):
		return true, nil
	case attrs.CRC32C != nil:
		sum, err := u.from.checksum(ctx, src.key)
		return err == nil && sum == *attrs.CRC32C, err
	}
	return !ok && !dst.modified.Before(src.modified) && !u.future(dst.modified), nil
}

func (u *uploader) transfer(ctx context.Context, src entry, _ bool, requests int, moved func(done, total int64)) (int64, error) {
	f, info, err := u.from.open(src.key)
	if err != nil {
		return 0, fileError("Upload", src.key, err)
	}
	defer func() { _ = f.Close() }() // it was read from
	content := newStableFile(f, info)
	if err := content.empty(); err != nil {
		return 0, fileError("Upload", src.key, err)
	}
	opts, err := ruleOptions[storage.UploadOption](u.rule, src.key, map[string]string{mtimeKey: formatMtime(content.modified)})
	if err != nil {
		return 0, err
	}
	opts = append(opts, storage.WithSize(content.size), storage.WithConcurrency(requests), storage.WithProgress(moved))
	if o := u.resume.option(src.key, content.size); o != nil {
		opts = append(opts, o)
	}
	_, err = u.to.Upload(ctx, src.key, content.reader(), opts...)
	if err != nil && content.changed.Load() {
		return 0, fileError("Upload", src.key, errChanged)
	}
	return content.size, err
}

// ruleOptions are the options that rule has for key, with more in the metadata: a write
// replaces all of it, so that they have to be one.
func ruleOptions[O any](rule func(key string) []storage.WriteOption, key string, more map[string]string) ([]O, error) {
	var given []storage.WriteOption
	if rule != nil {
		given = rule(key)
	}
	var r storage.PutRequest
	opts := make([]O, 0, len(given)+4)
	for _, o := range given {
		if err := r.Apply(o); err != nil {
			return nil, &storage.Error{Code: storage.CodeOf(err), Op: "WithRule", Key: key, Err: err}
		}
		opts = append(opts, any(o).(O))
	}
	if more != nil {
		metadata := maps.Clone(r.Metadata)
		if metadata == nil {
			metadata = more
		}
		maps.Copy(metadata, more)
		opts = append(opts, any(storage.WithMetadata(metadata)).(O))
	}
	return opts, nil
}
