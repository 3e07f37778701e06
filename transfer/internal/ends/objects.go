package ends

import (
	"context"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/inventory"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/listing"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// ListedTogether is how far the times of one file in two listings may differ. Some stores list
// whole seconds.
const ListedTogether = 2 * time.Second

var _ End = (*Objects)(nil)

// A Source is a bucket that a job reads.
type Source interface {
	storage.Downloader
	storage.Lister
	storage.AttrsReader
}

// An Objects is a bucket that a job has opened. Bucket is nil if the job only reads from
// it.
type Objects struct {
	Source          Source
	Bucket          storage.ReadWriter
	Inventory       *inventory.Inventory // read instead of a listing; nil without WithInventory
	SkipsUnreadable bool                 // whether a listing continues after folders that cannot be read
}

func (o *Objects) Close() error { return nil }

func (o *Objects) SyncDirs() error { return nil } // the store keeps its objects itself, so there is nothing to wait for

// CheckWrite fails if an object with this key cannot be written.
func (o *Objects) CheckWrite(key string, _ bool) error {
	if rule := objectkey.WriteRule(key); rule != "" {
		return joberror.Invalid("key", rule)
	}
	return nil
}

// StartsAnywhere reports whether a listing can start after any key. It cannot if the entries must
// be sorted first.
func (o *Objects) StartsAnywhere() bool {
	return o.Inventory == nil && storage.Supports(o.Source, storage.OrderedListing)
}

// list lists the objects after a key, or all objects if the listing cannot start there.
func (o *Objects) list(
	ctx context.Context, files *selection.Selection, startAfter string,
) iter.Seq2[storage.ListEntry, error] {
	if o.Inventory != nil {
		return o.Inventory.SortedObjects(ctx, files.Prefix, files.Ranges)
	}
	if files.Ranges != nil {
		startAfter = max(startAfter, files.Ranges.After)
	}
	if startAfter == "" || !o.StartsAnywhere() {
		return listing.InOrder(ctx, o.Source, files.Prefix)
	}
	return o.Source.List(ctx, storage.WithPrefix(files.Prefix), storage.WithStartAfter(startAfter))
}

// Entries yields the objects that the job selects, in the order of keys. With SkipsUnreadable, it also
// yields each folder that cannot be listed, and continues after it.
func (o *Objects) Entries(ctx context.Context, files *selection.Selection, startAfter string) iter.Seq2[Entry, error] {
	list := o.list(ctx, files, startAfter)
	if o.SkipsUnreadable && o.StartsAnywhere() {
		list = piecemeal.List(ctx, o.Source, files.Prefix, startAfter, list)
	}

	return func(yield func(Entry, error) bool) {
		for e, err := range list {
			// An error with a prefix is that of one folder. Any other error ends the listing.
			isOfFolder := e.IsPrefix && e.Key != files.Prefix
			if err != nil && !isOfFolder {
				yield(Entry{}, err)
				return
			}
			if files.Ranges.EndsBefore(e.Key) {
				// No later key is in the ranges of the job.
				return
			}

			// The entry of a folder that cannot be listed has the error.
			file, isSelected := entryOfObject(e, err, files)
			if isSelected && !yield(file, nil) {
				return
			}
		}
	}
}

// entryOfObject returns the entry of an object, or of a folder that cannot be listed if err is not nil.
// ok is false if the job leaves it out.
func entryOfObject(e storage.ListEntry, err error, files *selection.Selection) (file Entry, ok bool) {
	file = Entry{
		Key:      e.Key,
		Size:     e.Size,
		Modified: e.Modified,
		Written:  e.Modified,
		Revision: e.Revision,
		ETag:     e.ETag,
		Err:      err,
	}
	if err != nil {
		file.Kind = Unlisted
		return file, !files.InExcludedDir(e.Key)
	}
	if !files.Selects(e.Key) || evidence.IsKey(e.Key) {
		return Entry{}, false
	}
	// An empty object marks a folder. The web consoles of some stores create such objects.
	isMarker := e.Size == 0 && strings.HasSuffix(e.Key, "/")
	if isMarker {
		file.Kind = Ignored
	}
	return file, true
}

// Checksum returns the CRC32C that the store keeps, or reads the object if the store keeps none.
func (o *Objects) Checksum(ctx context.Context, key string) (uint32, error) {
	attrs, err := o.Source.Attrs(ctx, key)
	if err != nil {
		return 0, err
	}
	if attrs.CRC32C.Known {
		return attrs.CRC32C.Sum, nil
	}

	r, err := o.Source.Download(ctx, key)
	if err != nil {
		return 0, err
	}
	defer r.Close() // always nil
	sum := crc32c.New()
	if _, err := io.Copy(sum, r); err != nil {
		return 0, err
	}
	return sum.Sum32(), nil
}

// Has reports whether the bucket still has the listed object, by its size and revision, or by its time
// if the listing has no revision. Times may differ a little, because some stores list them in whole
// seconds.
func (o *Objects) Has(ctx context.Context, file Entry) (bool, error) {
	current, err := o.Source.Attrs(ctx, file.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}

	if current.Size != file.Size {
		return false, nil
	}
	if file.Revision == "" {
		return current.Modified.Sub(file.Modified).Abs() <= ListedTogether, nil
	}
	return current.Revision == file.Revision, nil
}

// RemoveUnchanged removes an object. It fails with Changed if the object changed after it was listed.
func (o *Objects) RemoveUnchanged(ctx context.Context, src Entry) error {
	listed := &storage.Attrs{
		Key:      src.Key,
		Size:     src.Size,
		Revision: src.Revision,
		Modified: src.Modified,
	}
	err := revisions.RemoveUnchanged(ctx, o.Bucket, src.Key, listed)
	if storage.CodeOf(err) == storage.Changed {
		return &storage.Error{Code: storage.Changed, Op: "Sync", Key: src.Key, Err: errSourceChanged}
	}
	return err
}

// Remove removes objects in the provider's batches, and calls removed with the result for each of them.
// After a failure it continues with the other objects, unless ctx is done.
func (o *Objects) Remove(
	ctx context.Context, files iter.Seq[storage.VersionEntry], removed func(file storage.VersionEntry, err error),
) {
	running.EachGroup(files, piecemeal.MaxFailures, 1, func(group []storage.VersionEntry) ([]error, bool) {
		RemoveGroup(ctx, o.Bucket, group, false, removed)
		return nil, ctx.Err() == nil
	})
}

// RemoveGroup removes a batch of objects, or of versions if areVersions is true. It calls removed for
// each of them, with the error of its removal or nil.
func RemoveGroup(
	ctx context.Context, b storage.Remover, group []storage.VersionEntry, areVersions bool,
	removed func(file storage.VersionEntry, err error),
) {
	errs, _ := piecemeal.Remove(ctx, b, group, areVersions)
	for i, err := range errs {
		removed(group[i], err)
	}
}
