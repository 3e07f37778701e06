// Package rclone makes a bucket of a backend of rclone, such as SFTP and WebDAV.
//
//	remote, err := fs.NewFs(ctx, "backup:photos") // as in rclone's configuration
//	b, err := rclone.New(remote)
//
// A program imports the backends that it uses, such as github.com/rclone/rclone/backend/sftp, or
// backend/all. Only they are compiled.
//
// # What such a bucket has
//
// It has objects whose writes are atomic, ranges, listings in the order of folders, checked uploads of any length, and
// conditions on reads. All else is Unsupported, before any request: metadata, content types, stored
// checksums, conditions on writes, parts, versions, tags, locks and signed URLs.
//
//   - If a backend has folders, an object is uploaded below ".omnibucket-partial" and renamed when it is whole. A
//     process that dies leaves it there. Names below that folder cannot be those of objects.
//   - A removal also removes the folders that are empty then.
//   - The revision of an object is its time and size. If the backend sets times, a write gives an object a later time
//     than the one that it replaces. If it cannot, as with WebDAV, a write that would leave time and size as they
//     were waits until the clock of the store has moved. If two writers replace an object at once, by as many bytes, both
//     may give it the same revision where times are coarse: seconds with SFTP.
//   - A folder is listed by one call of the backend, in memory.
//
// Rclone retries some requests itself, within the calls of the bucket.
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

// partials is the folder of objects that are not whole.
const partials = ".omnibucket-partial"

// New returns the bucket of a remote. It makes no request. Closing the bucket shuts the remote down.
// If remote is nil, New fails with InvalidArgument.
//
// New fails with Unsupported if names of the remote that differ in case are one, or if it may have several files
// with one name. It also does so if the remote shows files while they are written and cannot rename them.
func New(remote fs.Fs, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(remote)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// NewDriver returns the driver of a remote, for layers. It fails as [New] does.
func NewDriver(remote fs.Fs) (driver.Driver, error) {
	if remote == nil {
		return nil, failed(storage.InvalidArgument, "remote must not be nil")
	}
	features := remote.Features()
	switch {
	case features.CaseInsensitive:
		return nil, failed(storage.Unsupported, "the remote must tell upper from lower case")
	case features.DuplicateFiles:
		return nil, failed(storage.Unsupported, "the remote must not have several files with one name")
	case features.PartialUploads && features.Move == nil:
		return nil, failed(storage.Unsupported, "the remote shows files while they are written, and must rename them")
	}
	return &remoteDriver{remote: remote, features: features}, nil
}

func failed(code storage.Code, text string) error {
	return &storage.Error{Code: code, Op: "rclone.New", Err: errors.New(text)}
}

type remoteDriver struct {
	driver.UnimplementedDriver
	remote   fs.Fs
	features *fs.Features
}

var _ driver.Driver = (*remoteDriver)(nil)

func (d *remoteDriver) Describe() driver.Description {
	desc := driver.Description{
		Provider: "rclone", Bucket: d.remote.Root(), Location: d.remote.Name() + ":" + d.remote.Root(),
		FolderOrder: true,
		MaxPage:     1 << 20, // a page is a folder, which the backend lists as a whole
		Local:       d.features.IsLocal,
		FeatureHint: "a remote of rclone has no place for it, or rclone does not show it",
		// The body ends with its checksum: see checkedBody.
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

func (d *remoteDriver) Close() error {
	if d.features.Shutdown == nil {
		return nil
	}
	return d.features.Shutdown(context.Background())
}

// mayBe reports whether a key can be that of an object here.
func mayBe(key string) bool {
	return iofs.ValidPath(key) && key != "." && key != partials && !strings.HasPrefix(key, partials+"/")
}

// told translates an error of a backend.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrorObjectNotFound), errors.Is(err, fs.ErrorDirNotFound), errors.Is(err, fs.ErrorIsDir),
		errors.Is(err, fs.ErrorNotAFile), errors.Is(err, iofs.ErrNotExist):
		return storage.ObjectNotFound
	case errors.Is(err, fs.ErrorPermissionDenied), errors.Is(err, iofs.ErrPermission):
		return &storage.Error{Code: storage.PermissionDenied, Err: err}
	case errors.Is(err, fs.ErrorCantMove):
		return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "the server of the remote must rename files"}
	case storage.CodeOf(err) != storage.Internal,
		errors.Is(err, context.Canceled),
		errors.Is(err, context.DeadlineExceeded):
		return err
	case fserrors.IsRetryError(err), fserrors.ShouldRetry(err):
		return &storage.Error{Code: storage.Unavailable, Err: err}
	}
	return err
}

// find returns an object of the remote. If there is none because a folder of the key is an object, a backend may have
// an error of its own.
func (d *remoteDriver) find(ctx context.Context, key string) (fs.Object, error) {
	o, err := d.remote.NewObject(ctx, key)
	if err != nil && storage.CodeOf(told(err)) != storage.ObjectNotFound && d.underObject(ctx, key) {
		return nil, fs.ErrorObjectNotFound
	}
	return o, err
}

// underObject reports whether a folder of the key is an object.
func (d *remoteDriver) underObject(ctx context.Context, key string) bool {
	for folder := path.Dir(key); folder != "."; folder = path.Dir(folder) {
		if _, err := d.remote.NewObject(ctx, folder); err == nil {
			return true
		}
	}
	return false
}

// object returns the object of a key, and what is known of it.
func (d *remoteDriver) object(ctx context.Context, key string) (fs.Object, *storage.Attrs, error) {
	if !mayBe(key) {
		return nil, nil, storage.ObjectNotFound
	}
	o, err := d.find(ctx, key)
	if err != nil {
		return nil, nil, told(err)
	}
	if o.Size() < 0 { // a document of an office suite, whose bytes are made when it is read
		return nil, nil, storage.ObjectNotFound
	}
	return o, attrsOf(ctx, key, o), nil
}

func attrsOf(ctx context.Context, key string, o fs.Object) *storage.Attrs {
	modified := o.ModTime(ctx).UTC()
	revision := revisionOf(modified, o.Size())
	return &storage.Attrs{Key: key, Size: o.Size(), ETag: `"` + revision + `"`, Revision: revision, Modified: modified}
}

func (d *remoteDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	_, attrs, err := d.meeting(ctx, r)
	return attrs, err
}

// meeting returns an object that meets the conditions of r.
func (d *remoteDriver) meeting(ctx context.Context, r *driver.GetRequest) (fs.Object, *storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, nil, storage.Unsupported
	}
	o, attrs, err := d.object(ctx, r.Key)
	switch {
	case err != nil:
		return nil, nil, err
	case r.Condition.Revision != "" && r.Condition.Revision != attrs.Revision:
		return nil, nil, storage.PreconditionFailed
	case r.Condition.NotRevision == attrs.Revision:
		return nil, nil, storage.NotModified
	}
	return o, attrs, nil
}

// Get asks for the attributes again after it has opened the object: if the object was replaced in between, the bytes
// that were opened are those of another object.
func (d *remoteDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	for range 10 {
		attrs, body, err := d.open(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		_, now, err := d.object(ctx, r.Key)
		if err == nil && now.Revision == attrs.Revision {
			return attrs, body, nil
		}
		_ = body.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, &storage.Error{
		Code: storage.Unavailable, Err: errors.New("the object was replaced again and again while it was opened"),
	}
}

func (d *remoteDriver) open(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	o, attrs, err := d.meeting(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	from, to, err := r.Span(attrs.Size)
	if err != nil {
		return nil, nil, err
	}
	if from == to {
		return attrs, io.NopCloser(strings.NewReader("")), nil
	}
	var options []fs.OpenOption
	if to-from < attrs.Size {
		options = append(options, &fs.RangeOption{Start: from, End: to - 1})
	}
	body, err := o.Open(ctx, options...)
	if err != nil {
		return nil, nil, told(err)
	}
	return attrs, body, nil
}

// Delete removes the folders that are empty then, too: nobody has made them.
func (d *remoteDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if len(r.Native) > 0 {
		return storage.Unsupported
	}
	o, _, err := d.object(ctx, r.Key)
	if err == nil {
		err = told(o.Remove(ctx))
	}
	if err != nil && storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}
	if d.features.CanHaveEmptyDirectories {
		d.removeEmpty(ctx, path.Dir(r.Key))
	}
	return nil
}

// removeEmpty removes a folder and those around it, up to one that is not empty.
func (d *remoteDriver) removeEmpty(ctx context.Context, folder string) {
	for folder != "." && folder != "/" && d.remote.Rmdir(ctx, folder) == nil {
		folder = path.Dir(folder)
	}
}

// precision returns the unit of the times of the remote, if rclone can set them, and otherwise 0.
func (d *remoteDriver) precision() time.Duration {
	if unit := d.remote.Precision(); unit != fs.ModTimeNotSupported {
		return max(unit, time.Nanosecond)
	}
	return 0
}
