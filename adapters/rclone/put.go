package rclone

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// revisionOf returns the revision of an object with this time and size.
func revisionOf(modified time.Time, size int64) string {
	return fmt.Sprintf("%d-%d", modified.UnixNano(), size)
}

// Put stores an object. If the remote can rename, the object has a temporary name until it is complete, so that nobody
// reads a part of it.
func (d *remoteDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	hasNativeSettings := len(r.Native) > 0
	if !isPossibleKey(r.Key) || hasNativeSettings {
		return nil, storage.Unsupported
	}

	replaced, err := d.objectToReplace(ctx, r.Key)
	if err != nil {
		return nil, err
	}

	body := &checkedBody{r: r, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	if r.Size == 0 {
		// A backend may store an empty object without a Read, which would compare the checksum.
		if err := body.check(); err != nil {
			return nil, err
		}
	}

	// A bucket shows only complete objects, and some other remotes cannot rename.
	uploadsInPlace := d.features.BucketBased || d.features.Move == nil
	if uploadsInPlace {
		obj, err := d.upload(ctx, r.Key, body, r.Size, d.timeAfter(replaced))
		if err != nil {
			return nil, body.inPlaceError(err)
		}
		return attrsOf(ctx, r.Key, obj), nil
	}

	partial, err := d.uploadPartial(ctx, body, r.Size, replaced)
	if err != nil {
		return nil, body.partialError(err)
	}
	return d.rename(ctx, partial, r.Key)
}

// maxRenames is how often the function rename tries to rename a complete object. An attempt fails if
// another call has removed the last object in the target's folder, and with it the folder.
const maxRenames = 10

// rename moves a complete object from its temporary name to its key, and tries again if the remote is
// unavailable. If that fails, it removes the object.
func (d *remoteDriver) rename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	for attempt := 1; ; attempt++ {
		attrs, err := d.tryRename(ctx, partial, key)
		if err == nil {
			return attrs, nil
		}
		if attempt < maxRenames && mayRenameAgain(err) {
			continue
		}
		// If a rename took effect after all, there is nothing to remove.
		_ = partial.Remove(context.WithoutCancel(ctx))
		return nil, err
	}
}

// mayRenameAgain reports whether a rename that has failed with err may be tried again: it must not have
// taken effect, and the remote must have been unavailable.
func mayRenameAgain(err error) bool {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if ok && storageErr.Unknown {
		return false
	}
	return storage.CodeOf(err) == storage.Unavailable
}

// tryRename tries once to rename a complete object. If a failed rename may have taken effect, the error
// is Unknown.
func (d *remoteDriver) tryRename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	obj, err := d.features.Move(ctx, partial, key)
	if err == nil {
		return attrsOf(ctx, key, obj), nil
	}
	if conflict := d.nameConflict(ctx, key, err); conflict != nil {
		return nil, conflict
	}
	// The rename has failed for another reason, so find out what it has done. If the source is still there, it has not
	// taken effect.
	if _, findErr := d.remote.NewObject(ctx, partial.Remote()); findErr == nil {
		return nil, convertWriteError(err)
	}

	// If the target has the size and time of the source, the rename has taken effect.
	current, _, findErr := d.object(ctx, key)
	isRenamed := findErr == nil && current.Size() == partial.Size() && current.ModTime(ctx).Equal(partial.ModTime(ctx))
	if isRenamed {
		return attrsOf(ctx, key, current), nil
	}
	return nil, &storage.Error{Code: storage.CodeOf(convertWriteError(err)), Err: err, Unknown: true}
}

// convertWriteError converts an error of a write. A missing folder was removed by another caller
// meanwhile, so that error becomes Unavailable, which can be retried.
func convertWriteError(err error) error {
	converted := convertError(err)
	if storage.CodeOf(converted) == storage.ObjectNotFound {
		return &storage.Error{Code: storage.Unavailable, Err: err}
	}
	return converted
}

// objectToReplace returns the object that a write of this key replaces, or nil if there is none.
func (d *remoteDriver) objectToReplace(ctx context.Context, key string) (fs.Object, error) {
	obj, err := d.find(ctx, key)
	if err == nil {
		return obj, nil
	}
	if errors.Is(err, fs.ErrorIsDir) {
		// The key is the name of a folder.
		return nil, besideFolder(err)
	}

	converted := convertError(err)
	if storage.CodeOf(converted) == storage.ObjectNotFound {
		return nil, nil
	}
	return nil, converted
}

// besideFolder returns the error of a write whose key is also the name of a folder.
func besideFolder(err error) error {
	return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "a file and a folder cannot have the same name"}
}

// nameConflict returns a clearer error for a failed write, or nil if its reason is another. The
// conflict is a folder with this key, or an object in place of a folder in its path.
func (d *remoteDriver) nameConflict(ctx context.Context, key string, failure error) error {
	if d.features.BucketBased {
		// Such a remote has no folders, and so no conflicts.
		return nil
	}

	if _, err := d.remote.List(ctx, key); err == nil {
		return besideFolder(failure)
	}
	if d.isBelowObject(ctx, key) {
		return besideFolder(failure)
	}
	return nil
}

// timeAfter returns the modification time for a new object, which is now, or later if the replaced object has
// that time. With the same time, both objects could have the same revision. replaced is nil if there is none.
func (d *remoteDriver) timeAfter(replaced fs.Object) time.Time {
	now := time.Now()
	unit := d.precision()
	if replaced == nil || unit == 0 {
		return now
	}

	earliest := replaced.ModTime(context.Background()).Add(unit)
	isNowTooEarly := earliest.After(now.Truncate(unit))
	if isNowTooEarly {
		return earliest
	}
	return now
}

// upload uploads a body with the given modification time. It fails if the stored object does not have
// the size of the body.
func (d *remoteDriver) upload(
	ctx context.Context, key string, body io.Reader, size int64, modified time.Time,
) (fs.Object, error) {
	put := d.remote.Put
	if size < 0 {
		put = d.features.PutStream
	}
	const storable = true
	info := object.NewStaticObjectInfo(key, modified, size, storable, nil, d.remote)
	obj, err := put(ctx, body, info)
	if err != nil {
		return nil, err
	}
	if size >= 0 && obj.Size() != size {
		return nil, &storage.Error{
			Code: storage.Unavailable,
			Err:  fmt.Errorf("the store has %d of %d bytes", obj.Size(), size),
		}
	}
	return obj, nil
}

// uploadPartial uploads a body under a random name in the folder of unfinished objects. replaced
// is the object in whose place the new one will be moved, or nil. After a failure, uploadPartial removes what the
// backend may have kept.
func (d *remoteDriver) uploadPartial(
	ctx context.Context, body *checkedBody, size int64, replaced fs.Object,
) (fs.Object, error) {
	name := partials + "/" + rand.Text()
	obj, err := d.uploadDistinct(ctx, name, body, size, replaced)
	if err != nil {
		ctx := context.WithoutCancel(ctx)
		if partial, findErr := d.remote.NewObject(ctx, name); findErr == nil {
			_ = partial.Remove(ctx)
		}
		return nil, err
	}
	return obj, nil
}

// uploadDistinct uploads a body under a name, so that the object has another revision than the one that it will
// replace. A revision is made of size and time, so if both are equal, the object gets a later time.
func (d *remoteDriver) uploadDistinct(
	ctx context.Context, name string, body *checkedBody, size int64, replaced fs.Object,
) (fs.Object, error) {
	obj, err := d.upload(ctx, name, body, size, d.timeAfter(replaced))
	if err != nil {
		return nil, err
	}
	if err := body.check(); err != nil {
		return nil, err
	}
	if replaced == nil {
		return obj, nil
	}

	// The times of a remote may be coarse, so a later write may still get the same time.
	for obj.Size() == replaced.Size() && obj.ModTime(ctx).Equal(replaced.ModTime(ctx)) {
		obj, err = d.rewriteLater(ctx, name, obj)
		if err != nil {
			return nil, err
		}
	}
	return obj, nil
}

// rewriteLater gives an object a later time on a remote whose times cannot be set, by waiting and then writing it
// again.
func (d *remoteDriver) rewriteLater(ctx context.Context, name string, obj fs.Object) (fs.Object, error) {
	// The caller repeats the call if the time is still the same.
	const pause = time.Second / 4
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	content, err := obj.Open(ctx)
	if err != nil {
		return nil, err
	}
	// Write the copy under another name, because the object is still being read, and then move it.
	copyName := name + "-"
	duplicate, uploadErr := d.upload(ctx, copyName, content, obj.Size(), time.Now())
	if err := errors.Join(uploadErr, content.Close()); err != nil {
		return nil, err
	}
	return d.features.Move(ctx, duplicate, name)
}

// A checkedBody is the body of a Put. It returns the last bytes only if the checksum is right. Some
// backends make the object when the body ends. Without the check, they would make a damaged object.
type checkedBody struct {
	r         *driver.PutRequest
	sum       hash.Hash32
	bytesRead int64
	err       error // first error of Read, except io.EOF
}

// Read reads from the body of the request. With the last bytes, it compares the checksum of the whole body, and
// returns an error in place of these bytes if it is wrong.
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	b.sum.Write(p[:n])
	b.bytesRead += int64(n)

	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
		return n, err
	}
	// A backend that knows the size may stop before io.EOF, so the size shows the end, too.
	isEnd := err != nil || b.bytesRead == b.r.Size
	if !isEnd {
		return n, nil
	}
	if checkErr := b.check(); checkErr != nil {
		b.err = checkErr
		return 0, checkErr
	}
	return n, err
}

// check fails with ChecksumMismatch if the bytes read so far do not have the checksum of the request.
func (b *checkedBody) check() error {
	if b.r.CRC32C.Known && b.r.CRC32C.Sum != b.sum.Sum32() {
		return storage.ChecksumMismatch
	}
	return nil
}

// partialError converts err, with which an upload under a temporary name failed, to an error of this library. An error
// of the body comes first.
func (b *checkedBody) partialError(err error) error {
	if libraryErr := b.libraryError(err); libraryErr != nil {
		return libraryErr
	}
	return convertWriteError(err)
}

// inPlaceError converts err, with which an upload under the key itself failed, to an error of this library. An error of
// the remote is Unknown, because the object may have been stored nevertheless.
func (b *checkedBody) inPlaceError(err error) error {
	if libraryErr := b.libraryError(err); libraryErr != nil {
		return libraryErr
	}
	return &storage.Error{Code: storage.CodeOf(convertWriteError(err)), Err: err, Unknown: true}
}

// libraryError returns the error of the body, if there is one, or else err, if it is an error of this library.
// Otherwise it returns nil.
func (b *checkedBody) libraryError(err error) error {
	if b.err != nil {
		return b.err
	}
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr
	}
	return nil
}
