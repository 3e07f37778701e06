package copier

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

var _ Copier = (*uploader)(nil)

// An uploader transfers files from a directory to a bucket.
type uploader struct {
	src      *ends.Tree
	dst      storage.ReadWriter
	settings *Settings
}

// Compare returns Same if the object was written so long after the last change of the file that no
// wrong clock explains it, and otherwise Unclear. It does not use a time in the future.
func (u *uploader) Compare(src, dst ends.Entry) Comparison {
	lastChange := src.Modified
	if u.settings.Cache != nil && src.Written.After(lastChange) {
		// The file may have been replaced by one with an older time since it was uploaded.
		lastChange = src.Written
	}
	if u.settings.isInFuture(dst.Modified) {
		return Unclear
	}
	if dst.Modified.After(lastChange.Add(skew)) {
		return Same
	}
	return Unclear
}

// CompareDeep reports whether the file and the object are equal, by the ETag of a small file, which needs
// no request, or by the attributes of the object. listed is true if the object is still the listed one.
func (u *uploader) CompareDeep(ctx context.Context, src, dst ends.Entry) (equal, listed bool, err error) {
	if u.src.MatchesETag(ctx, src, dst.ETag) {
		return true, true, nil
	}

	attrs, err := u.dst.Attrs(ctx, src.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The object was removed meanwhile.
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	listed = attrs.Revision == dst.Revision
	if attrs.Size != src.Size {
		return false, listed, nil
	}
	equal, err = u.equalsObject(ctx, src, attrs, dst.Modified)
	return equal, listed, err
}

// equalsObject reports whether a file equals an object of the same size: by the time of the file, which
// an upload stores in the metadata, or else by checksum. written is when the object was written.
func (u *uploader) equalsObject(
	ctx context.Context, file ends.Entry, object *storage.Attrs, written time.Time,
) (bool, error) {
	mtime, hasMtime := object.Metadata[mtimeKey]
	if hasMtime && sameTime(file.Modified, parseMtime(mtime)) {
		return true, nil
	}
	if object.CRC32C.Known {
		sum, err := u.src.Checksum(ctx, file.Key)
		if err != nil {
			return false, err
		}
		return sum == object.CRC32C.Sum, nil
	}
	if hasMtime {
		// The object is the upload of a file with another time.
		return false, nil
	}

	// Only the times of writing are left to compare. An object that was written after the file last changed
	// has its content, unless the clock of the store is wrong.
	if u.settings.isInFuture(written) {
		return false, nil
	}
	return !written.Before(file.Modified), nil
}

// Transfer uploads a file to the object with its key, and returns the number of bytes of the file. It
// stores the time of the file in the metadata of the object, if the store has metadata.
func (u *uploader) Transfer(
	ctx context.Context, src ends.Entry, _ bool, requests int, moved func(done, total int64),
) (int64, error) {
	f, info, err := u.src.Open(src.Key)
	if err != nil {
		return 0, joberror.OfFile("Upload", src.Key, err)
	}
	// The file was only read, so an error does not matter.
	defer f.Close()

	content := localfile.NewStable(f, info)
	if err := content.Empty(); err != nil {
		return 0, joberror.OfFile("Upload", src.Key, err)
	}

	opts, err := u.uploadOptions(src.Key, content)
	if err != nil {
		return 0, err
	}
	opts = append(opts, storage.WithConcurrency(requests), storage.WithProgress(moved))
	attrs, err := u.dst.Upload(ctx, src.Key, content.Reader(), opts...)
	if err != nil {
		if content.Changed() {
			return 0, joberror.OfFile("Upload", src.Key, localfile.ErrChanged)
		}
		return content.Size(), err
	}
	u.settings.Cache.Note(ends.EntryOf(src.Key, info), ends.Entry{Size: content.Size(), Revision: attrs.Revision})
	return content.Size(), nil
}

// uploadOptions returns the options of the rule for a key, and those for the size, the time and the
// resumption of the upload.
func (u *uploader) uploadOptions(key string, content *localfile.Stable) ([]storage.UploadOption, error) {
	// In a store without metadata, CompareDeep compares checksums instead of this time.
	var metadata map[string]string
	if storage.Supports(u.dst, storage.Metadata) {
		modified := content.Modified()
		metadata = map[string]string{mtimeKey: fmt.Sprintf("%d.%09d", modified.Unix(), modified.Nanosecond())}
	}
	opts, err := ruleOptions[storage.UploadOption](u.settings.Rule, key, metadata)
	if err != nil {
		return nil, err
	}

	opts = append(opts, storage.WithSize(content.Size()))
	if file := u.settings.Resume.stateFile(key, content.Size()); file != "" {
		opts = append(opts, storage.WithResume(file))
	}
	return opts, nil
}

// ruleOptions returns the options of a rule for key. If extra is not nil, it adds extra to the rule's
// metadata.
func ruleOptions[O any](rule func(key string) []storage.WriteOption, key string, extra map[string]string) ([]O, error) {
	var ruleOpts []storage.WriteOption
	if rule != nil {
		ruleOpts = rule(key)
	}

	// O is the type of the options of an upload or a copy. Each WriteOption implements both.
	var applied storage.UploadOptions
	const moreOptions = 4 // those that are appended here and by callers
	opts := make([]O, 0, len(ruleOpts)+moreOptions)
	for _, o := range ruleOpts {
		// Check the option, and collect the metadata of all options.
		if err := applied.Apply(o); err != nil {
			return nil, &storage.Error{Code: storage.CodeOf(err), Op: "WithRule", Key: key, Err: err}
		}
		opts = append(opts, any(o).(O))
	}

	// This option contains both, because it replaces the metadata of earlier options.
	if extra != nil {
		metadata := map[string]string{}
		maps.Copy(metadata, applied.Metadata)
		maps.Copy(metadata, extra)
		opts = append(opts, any(storage.WithMetadata(metadata)).(O))
	}
	return opts, nil
}
