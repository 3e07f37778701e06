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

// Put stores an object. A remote that can rename gets it under a temporary name first, so that nobody reads a part of
// it.
func (d *remoteDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if !isPossibleKey(r.Key) || len(r.Native) > 0 {
		return nil, storage.Unsupported
	}

	replaced, err := d.replaced(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	body := &checkedBody{r: r, sum: crc32.New(crc32.MakeTable(crc32.Castagnoli))}
	if r.Size == 0 {
		// A backend may store an empty object without reading its body.
		if err := body.check(); err != nil {
			return nil, err
		}
	}

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

// rename moves a complete object from its temporary name to its key. If that fails, it removes the
// object.
func (d *remoteDriver) rename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	var err error
	for range maxRenames {
		var attrs *storage.Attrs
		attrs, err = d.tryRename(ctx, partial, key)
		if err == nil {
			return attrs, nil
		}
		storageErr, ok := errors.AsType[*storage.Error](err)
		mayHaveTakenEffect := ok && storageErr.Unknown
		if mayHaveTakenEffect || storage.CodeOf(err) != storage.Unavailable {
			break
		}
	}

	// If a rename took effect, this fails.
	_ = partial.Remove(context.WithoutCancel(ctx))
	return nil, err
}

// tryRename makes one attempt to rename a complete object. If the rename may have taken effect, the
// error is Unknown.
func (d *remoteDriver) tryRename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	obj, err := d.features.Move(ctx, partial, key)
	if err == nil {
		return attrsOf(ctx, key, obj), nil
	}
	if conflict := d.nameConflict(ctx, key, err); conflict != nil {
		return nil, conflict
	}
	if _, findErr := d.remote.NewObject(ctx, partial.Remote()); findErr == nil {
		// The source is still there, so the rename has not taken effect.
		return nil, convertWriteError(err)
	}

	// The source is gone. If the target has its size and time, the rename has taken effect.
	current, _, findErr := d.object(ctx, key)
	if findErr == nil && current.Size() == partial.Size() && current.ModTime(ctx).Equal(partial.ModTime(ctx)) {
		return attrsOf(ctx, key, current), nil
	}
	return nil, &storage.Error{Code: storage.CodeOf(convertWriteError(err)), Err: err, Unknown: true}
}

// convertWriteError converts an error of a write. If a folder is missing, another caller has removed it
// meanwhile, so the result is Unavailable, which can be retried.
func convertWriteError(err error) error {
	converted := convertError(err)
	if storage.CodeOf(converted) == storage.ObjectNotFound {
		return &storage.Error{Code: storage.Unavailable, Err: err}
	}
	return converted
}

// replaced returns the object that a write of this key replaces. If there is none, it returns nil.
func (d *remoteDriver) replaced(ctx context.Context, key string) (fs.Object, error) {
	o, err := d.find(ctx, key)
	if err == nil {
		return o, nil
	}
	if errors.Is(err, fs.ErrorIsDir) {
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

// nameConflict returns a clearer error for a write that has failed, if a name is the reason. Either
// there is a folder with this key, or a folder in the key's path is really an object.
func (d *remoteDriver) nameConflict(ctx context.Context, key string, failure error) error {
	if d.features.BucketBased {
		return nil
	}
	if _, err := d.remote.List(ctx, key); err == nil {
		return besideFolder(failure)
	}
	if d.underObject(ctx, key) {
		return besideFolder(failure)
	}
	return nil
}

// timeAfter returns the modification time for a new object. It is later than that of the replaced object, so that the
// two have different revisions. Usually it is the present time.
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

// upload uploads a body. If the stored object does not have the size of the body, upload fails.
func (d *remoteDriver) upload(
	ctx context.Context, key string, body io.Reader, size int64, modified time.Time,
) (fs.Object, error) {
	put := d.remote.Put
	if size < 0 {
		put = d.features.PutStream
	}
	obj, err := put(ctx, body, object.NewStaticObjectInfo(key, modified, size, true, nil, d.remote))
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

// uploadPartial uploads a body into the folder of unfinished objects. The result differs in time or
// size from the object that it will replace, so that its revision differs, too.
func (d *remoteDriver) uploadPartial(
	ctx context.Context, body *checkedBody, size int64, replaced fs.Object,
) (fs.Object, error) {
	name := partials + "/" + rand.Text()
	obj, err := d.uploadDistinct(ctx, name, body, size, replaced)
	if err != nil {
		// The backend may have kept the unfinished object.
		ctx := context.WithoutCancel(ctx)
		if partial, findErr := d.remote.NewObject(ctx, name); findErr == nil {
			_ = partial.Remove(ctx)
		}
		return nil, err
	}
	return obj, nil
}

// uploadDistinct uploads a body to name. The result differs in time or size from the object that it will replace, because
// the two make its revision. If they are equal, uploadDistinct gives the result a later time.
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
	for obj.Size() == replaced.Size() && obj.ModTime(ctx).Equal(replaced.ModTime(ctx)) {
		obj, err = d.rewriteLater(ctx, name, obj)
		if err != nil {
			return nil, err
		}
	}
	return obj, nil
}

// rewriteLater gives an object a later time on a remote whose times cannot be set. It waits, and then writes the object
// again.
func (d *remoteDriver) rewriteLater(ctx context.Context, name string, obj fs.Object) (fs.Object, error) {
	const pause = time.Second / 4 // the caller repeats it if the times are still equal
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
	// A copy under another name, because the object is still being read.
	second, err := d.upload(ctx, name+"-", content, obj.Size(), time.Now())
	if err := errors.Join(err, content.Close()); err != nil {
		return nil, err
	}
	return d.features.Move(ctx, second, name)
}

// A checkedBody is the body of a Put. It returns the last bytes only if the checksum is right. Some
// backends make the object when the body ends. Without the check, they would make a damaged object.
type checkedBody struct {
	r         *driver.PutRequest
	sum       hash.Hash32
	bytesRead int64
	err       error // first error of Read, except io.EOF
}

// Read reads from the body of the request. With the last bytes, it checks the checksum.
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	b.sum.Write(p[:n])
	b.bytesRead += int64(n)

	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
		return n, err
	}
	isComplete := err != nil || b.bytesRead == b.r.Size
	if isComplete {
		if checkErr := b.check(); checkErr != nil {
			b.err = checkErr
			return 0, checkErr
		}
	}
	return n, err
}

// check fails with ChecksumMismatch if the bytes that were read do not have the checksum of the
// request.
func (b *checkedBody) check() error {
	if b.r.CRC32C.Known && b.r.CRC32C.Sum != b.sum.Sum32() {
		return storage.ChecksumMismatch
	}
	return nil
}

// partialError returns the error for a Put whose upload under a temporary name has failed with err. If reading the body
// has failed, or err is an error of this library, that error is returned instead.
func (b *checkedBody) partialError(err error) error {
	if known := b.knownError(err); known != nil {
		return known
	}
	return convertWriteError(err)
}

// inPlaceError returns the error for a Put whose upload under the key itself has failed with err. As the object may have
// been stored nevertheless, the error is Unknown, unless reading the body has failed or err is an error of this
// library.
func (b *checkedBody) inPlaceError(err error) error {
	if known := b.knownError(err); known != nil {
		return known
	}
	return &storage.Error{Code: storage.CodeOf(convertWriteError(err)), Err: err, Unknown: true}
}

// knownError returns the error of the body, if there is one, or else err, if it is an error of this library.
func (b *checkedBody) knownError(err error) error {
	if b.err != nil {
		return b.err
	}
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr
	}
	return nil
}
