// Package rclone turns a backend of rclone, such as SFTP or WebDAV, into a [storage.Bucket].
//
//	remote, err := fs.NewFs(ctx, "backup:photos") // as in rclone's configuration
//	b, err := rclone.New(remote)
//
// A program imports only the backends that it uses, such as github.com/rclone/rclone/backend/sftp.
// To have all of them, import backend/all.
//
// # Features
//
// Such a bucket supports atomic writes, range reads, listings sorted folder by folder, uploads of
// any length with a checksum, and conditional reads. Everything else fails with Unsupported before
// any request: metadata, content types, stored checksums, conditional writes, parts, versions,
// tags, locks and signed URLs.
//
//   - If a backend has folders, an object is first uploaded into the folder ".omnibucket-partial",
//     and renamed when it is complete. If the process is killed before that, the file stays in this
//     folder. The key of an object cannot begin with the name of this folder.
//   - When the last object in a folder is removed, the folder is removed, too.
//   - The revision of an object consists of its time and size. If the backend can set times, each
//     write gives the object a later time than before. If it cannot, as with WebDAV, and a write
//     would change neither time nor size, the write waits until the store's clock has advanced.
//     Times can be coarse: SFTP has whole seconds. If two writers then replace an object at the
//     same time with the same number of bytes, both versions may have the same revision.
//   - A folder is listed with one call of the backend, and the whole list is held in memory.
//
// Within one call of the bucket, rclone may retry requests.
package rclone

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"path"
	"strings"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/fserrors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// partials is the folder of objects that are not complete yet.
const partials = ".omnibucket-partial"

// New returns a bucket for a remote, without making a request. Closing the bucket shuts the remote
// down.
//
// New fails with InvalidArgument if remote is nil. It fails with Unsupported if names in the remote do
// not distinguish upper case from lower case, or if several files may have the same name. It also
// fails with Unsupported if the remote shows files while they are being written and cannot rename
// them.
func New(remote fs.Fs, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(remote)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver returns a driver for a remote, to which layers can be added. It fails for the same reasons
// as [New].
func NewDriver(remote fs.Fs) (driver.Driver, error) {
	if remote == nil {
		return nil, newError(storage.InvalidArgument, "remote must not be nil")
	}

	features := remote.Features()
	if features.CaseInsensitive {
		return nil, newError(storage.Unsupported, "the remote must tell upper from lower case")
	}
	if features.DuplicateFiles {
		return nil, newError(storage.Unsupported, "the remote must not have several files with one name")
	}
	if features.PartialUploads && features.Move == nil {
		return nil, newError(storage.Unsupported, "the remote shows files while they are written, and must rename them")
	}
	return &remoteDriver{remote: remote, features: features}, nil
}

// newError returns an error of New.
func newError(code storage.Code, text string) error {
	return &storage.Error{Code: code, Op: "rclone.New", Err: errors.New(text)}
}

type remoteDriver struct {
	driver.UnimplementedDriver
	remote   fs.Fs
	features *fs.Features
}

var _ driver.Driver = (*remoteDriver)(nil)

// Describe describes the remote as a store.
func (d *remoteDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider:    "rclone",
		Bucket:      d.remote.Root(),
		Location:    d.remote.Name() + ":" + d.remote.Root(),
		FolderOrder: true,
		// A page has a whole folder, because the backend lists it as a whole.
		MaxPage:     1 << 20,
		Local:       d.features.IsLocal,
		FeatureHint: "a remote of rclone has no place for it, or rclone does not show it",
		// A checkedBody returns io.EOF only if the checksum of the body is right.
		ChecksumWhileSending: true,
	}
	if d.features.PutStream != nil {
		desc.Features |= driver.StreamingPut
	}
	if d.features.BucketBased {
		desc.Features |= storage.KeysBesideFolders
	}
	return desc
}

func (d *remoteDriver) Native() any { return d.remote }

// Close shuts the remote down.
func (d *remoteDriver) Close() error {
	if d.features.Shutdown == nil {
		return nil
	}
	// A shutdown needs a context, which Close of a bucket does not have.
	return d.features.Shutdown(context.Background())
}

// isPossibleKey reports whether this bucket can have an object with this key.
func isPossibleKey(key string) bool {
	isPartial := key == partials || strings.HasPrefix(key, partials+"/")
	return iofs.ValidPath(key) && key != "." && !isPartial
}

// convertError converts an error of a backend to an error of this library.
func convertError(err error) error {
	if err == nil {
		return nil
	}
	if isNotFound(err) {
		return storage.ObjectNotFound
	}
	if errors.Is(err, fs.ErrorPermissionDenied) || errors.Is(err, iofs.ErrPermission) {
		return &storage.Error{Code: storage.PermissionDenied, Err: err}
	}
	if errors.Is(err, fs.ErrorCantMove) {
		return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "the server of the remote must rename files"}
	}

	// Errors that this library understands already stay as they are. CodeOf returns Internal for others.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	isOfThisLibrary := storage.CodeOf(err) != storage.Internal
	if isOfThisLibrary {
		return err
	}
	if fserrors.IsRetryError(err) || fserrors.ShouldRetry(err) {
		return &storage.Error{Code: storage.Unavailable, Err: err}
	}
	return err
}

// isNotFound reports whether an error of a backend means that no object has the key. A folder may have
// it.
func isNotFound(err error) bool {
	return errors.Is(err, fs.ErrorObjectNotFound) ||
		errors.Is(err, fs.ErrorDirNotFound) ||
		errors.Is(err, fs.ErrorIsDir) ||
		errors.Is(err, fs.ErrorNotAFile) ||
		errors.Is(err, iofs.ErrNotExist)
}

// find returns an object of the remote. For a key such as "a/b", if "a" is an object, it returns
// fs.ErrorObjectNotFound, because some backends return another error.
func (d *remoteDriver) find(ctx context.Context, key string) (fs.Object, error) {
	obj, err := d.remote.NewObject(ctx, key)
	if err == nil {
		return obj, nil
	}
	isMissing := storage.CodeOf(convertError(err)) == storage.ObjectNotFound
	if !isMissing && d.isBelowObject(ctx, key) {
		return nil, fs.ErrorObjectNotFound
	}
	return nil, err
}

// isBelowObject reports whether one of the folders in the key is really an object.
func (d *remoteDriver) isBelowObject(ctx context.Context, key string) bool {
	for folder := path.Dir(key); folder != "."; folder = path.Dir(folder) {
		if _, err := d.remote.NewObject(ctx, folder); err == nil {
			return true
		}
	}
	return false
}

// object returns the object with this key and its attributes.
func (d *remoteDriver) object(ctx context.Context, key string) (fs.Object, *storage.Attrs, error) {
	if !isPossibleKey(key) {
		return nil, nil, storage.ObjectNotFound
	}

	obj, err := d.find(ctx, key)
	if err != nil {
		return nil, nil, convertError(err)
	}
	// The bytes of an office document are generated when it is read.
	isGenerated := obj.Size() < 0
	if isGenerated {
		return nil, nil, storage.ObjectNotFound
	}
	return obj, attrsOf(ctx, key, obj), nil
}

// attrsOf returns the attributes of an object, whose revision is made of its time and size.
func attrsOf(ctx context.Context, key string, obj fs.Object) *storage.Attrs {
	modified := obj.ModTime(ctx).UTC()
	revision := revisionOf(modified, obj.Size())
	return &storage.Attrs{
		Key:      key,
		Size:     obj.Size(),
		ETag:     `"` + revision + `"`,
		Revision: revision,
		Modified: modified,
	}
}

func (d *remoteDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	_, attrs, err := d.objectFor(ctx, r)
	return attrs, err
}

// objectFor returns the object and the attributes for a request, and fails if they do not meet its conditions.
func (d *remoteDriver) objectFor(ctx context.Context, r *driver.GetRequest) (fs.Object, *storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, nil, storage.Unsupported
	}

	obj, attrs, err := d.object(ctx, r.Key)
	if err != nil {
		return nil, nil, err
	}
	if r.Condition.Revision != "" && r.Condition.Revision != attrs.Revision {
		return nil, nil, storage.PreconditionFailed
	}
	// No object has the revision "", so this does not hold without a condition.
	if r.Condition.NotRevision == attrs.Revision {
		return nil, nil, storage.NotModified
	}
	return obj, attrs, nil
}

// Get opens an object, and reads its attributes once more afterwards. If the object was replaced
// meanwhile, the bytes may be those of either one, so Get opens it again.
func (d *remoteDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	const attempts = 10
	for range attempts {
		attrs, body, err := d.open(ctx, r)
		if err != nil {
			return nil, nil, err
		}

		_, current, err := d.object(ctx, r.Key)
		if err != nil {
			_ = body.Close()
			return nil, nil, err
		}
		if current.Revision == attrs.Revision {
			return attrs, body, nil
		}
		_ = body.Close()
	}
	return nil, nil, &storage.Error{
		Code: storage.Unavailable,
		Err:  errors.New("the object was replaced again and again while it was opened"),
	}
}

// open opens the range of an object that a request asks for.
func (d *remoteDriver) open(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	obj, attrs, err := d.objectFor(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	start, end, err := r.Span(attrs.Size)
	if err != nil {
		return nil, nil, err
	}
	if start == end {
		return attrs, io.NopCloser(strings.NewReader("")), nil
	}

	var options []fs.OpenOption
	if end-start < attrs.Size {
		options = append(options, &fs.RangeOption{Start: start, End: end - 1})
	}
	body, err := obj.Open(ctx, options...)
	if err != nil {
		return nil, nil, convertError(err)
	}
	return attrs, body, nil
}

// Delete removes an object, and then the folders that have become empty, because a bucket has no folders
// that a caller could remove.
func (d *remoteDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if len(r.Native) > 0 {
		return storage.Unsupported
	}

	// A missing object may have left empty folders, too.
	if err := d.removeObject(ctx, r.Key); err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}

	if d.features.CanHaveEmptyDirectories {
		d.removeEmpty(ctx, path.Dir(r.Key))
	}
	return nil
}

// removeObject removes an object, and fails with ObjectNotFound if there is none.
func (d *remoteDriver) removeObject(ctx context.Context, key string) error {
	obj, _, err := d.object(ctx, key)
	if err != nil {
		return err
	}
	return convertError(obj.Remove(ctx))
}

// removeEmpty removes a folder if it is empty. If the parent folder is empty after that,
// removeEmpty also removes the parent folder, and so on. It stops at the first folder that is not
// empty.
func (d *remoteDriver) removeEmpty(ctx context.Context, folder string) {
	for folder != "." && folder != "/" && d.remote.Rmdir(ctx, folder) == nil {
		folder = path.Dir(folder)
	}
}

// precision returns the unit in which rclone can set times on the remote, or 0 if it cannot set them.
func (d *remoteDriver) precision() time.Duration {
	unit := d.remote.Precision()
	if unit == fs.ModTimeNotSupported {
		return 0
	}
	return max(unit, time.Nanosecond)
}
