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

func revisionOf(modified time.Time, size int64) string {
	return fmt.Sprintf("%d-%d", modified.UnixNano(), size)
}

func (d *remoteDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if !mayBe(r.Key) || len(r.Native) > 0 {
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

	if d.features.BucketBased || d.features.Move == nil {
		obj, err := d.upload(ctx, r.Key, body, r.Size, d.timeAfter(replaced))
		if err != nil {
			return nil, body.failed(err, true)
		}
		return attrsOf(ctx, r.Key, obj), nil
	}

	partial, err := d.uploadPartial(ctx, body, r.Size, replaced)
	if err != nil {
		return nil, body.failed(err, false)
	}
	return d.rename(ctx, partial, r.Key)
}

// renames is how often the function rename tries to rename a complete object. An attempt fails if
// another call has removed the last object in the target's folder, and with it the folder.
const renames = 10

// rename moves a complete object from its temporary name to its key.
func (d *remoteDriver) rename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	var failure error
	for range renames {
		obj, err := d.features.Move(ctx, partial, key)
		if err == nil {
			return attrsOf(ctx, key, obj), nil
		}
		failure = written(err)
		if conflict := d.inTheWay(ctx, key, err); conflict != nil {
			failure = conflict
			break
		}
		// the source is gone, so the rename may have taken effect
		if _, lost := d.remote.NewObject(ctx, partial.Remote()); lost != nil {
			failure = &storage.Error{Code: storage.CodeOf(failure), Err: err, Unknown: true}
			if current, _, e := d.object(ctx, key); e == nil && current.Size() == partial.Size() &&
				current.ModTime(ctx).Equal(partial.ModTime(ctx)) {
				return attrsOf(ctx, key, current), nil
			}
			break
		}
		if storage.CodeOf(failure) != storage.Unavailable {
			break
		}
	}

	// If the rename took effect, this fails.
	_ = partial.Remove(context.WithoutCancel(ctx))
	return nil, failure
}

// written converts an error of a write. If a folder is missing, another caller has removed it
// meanwhile, so the result is Unavailable, which can be retried.
func written(err error) error {
	if e := told(err); storage.CodeOf(e) != storage.ObjectNotFound {
		return e
	}
	return &storage.Error{Code: storage.Unavailable, Err: err}
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
	if storage.CodeOf(told(err)) == storage.ObjectNotFound {
		return nil, nil
	}
	return nil, told(err)
}

func besideFolder(err error) error {
	return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "a file and a folder cannot have the same name"}
}

// inTheWay returns a clearer error for a write that has failed, if a name is the reason. Either
// there is a folder with this key, or a folder in the key's path is really an object.
func (d *remoteDriver) inTheWay(ctx context.Context, key string, failure error) error {
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

// timeAfter returns the modification time for a new object. Usually this is the present time. The
// new object must be later than the object that it replaces. If the present time is not later,
// timeAfter adds the remote's smallest unit of time to the time of the replaced object.
func (d *remoteDriver) timeAfter(replaced fs.Object) time.Time {
	now := time.Now()
	unit := d.precision()
	if replaced == nil || unit == 0 {
		return now
	}
	if next := replaced.ModTime(context.Background()).Add(unit); next.After(now.Truncate(unit)) {
		return next
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
	obj, err := d.upload(ctx, name, body, size, d.timeAfter(replaced))
	if err == nil {
		err = body.check()
	}
	for err == nil && replaced != nil && obj.Size() == replaced.Size() && obj.ModTime(ctx).Equal(replaced.ModTime(ctx)) {
		obj, err = d.later(ctx, name, obj)
	}
	if err != nil {
		if partial, e := d.remote.NewObject(context.WithoutCancel(ctx), name); e == nil {
			_ = partial.Remove(context.WithoutCancel(ctx))
		}
		return nil, err
	}
	return obj, nil
}

// The method later gives an object a later time. It waits for a quarter of a second, and then
// writes the object again.
func (d *remoteDriver) later(ctx context.Context, name string, obj fs.Object) (fs.Object, error) {
	timer := time.NewTimer(time.Second / 4)
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
	second, err := d.upload(ctx, name+"-", content, obj.Size(), time.Now())
	if err = errors.Join(err, content.Close()); err != nil {
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

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	b.sum.Write(p[:n])
	b.bytesRead += int64(n)
	if err == nil && b.bytesRead == b.r.Size || errors.Is(err, io.EOF) {
		if e := b.check(); e != nil {
			n = 0
			err = e
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

func (b *checkedBody) check() error {
	if b.r.CRC32C.Known && b.r.CRC32C.Sum != b.sum.Sum32() {
		return storage.ChecksumMismatch
	}
	return nil
}

// failed returns the error for a Put that has failed with err. If reading the body has failed, that
// error is returned instead. If unknown is true, the Put may have taken effect.
func (b *checkedBody) failed(err error, unknown bool) error {
	if b.err != nil {
		return b.err
	}
	if e, ok := errors.AsType[*storage.Error](err); ok {
		return e
	}
	if unknown {
		return &storage.Error{Code: storage.CodeOf(written(err)), Err: err, Unknown: true}
	}
	return written(err)
}
