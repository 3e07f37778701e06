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
	if r.Size == 0 { // a backend may not read the body
		if err := body.check(); err != nil {
			return nil, err
		}
	}
	if d.features.BucketBased || d.features.Move == nil {
		made, err := d.upload(ctx, r.Key, body, r.Size, d.timeAfter(replaced))
		if err != nil {
			return nil, body.failed(err, true)
		}
		return attrsOf(ctx, r.Key, made), nil
	}
	partial, err := d.uploadPartial(ctx, body, r.Size, replaced)
	if err != nil {
		return nil, body.failed(err, false)
	}
	return d.rename(ctx, partial, r.Key)
}

// renames is how often a whole object is renamed: a removal of another one may drop its folder meanwhile.
const renames = 10

// rename gives a whole object its key.
func (d *remoteDriver) rename(ctx context.Context, partial fs.Object, key string) (*storage.Attrs, error) {
	var failure error
	for range renames {
		made, err := d.features.Move(ctx, partial, key)
		if err == nil {
			return attrsOf(ctx, key, made), nil
		}
		failure = written(err)
		if conflict := d.inTheWay(ctx, key, err); conflict != nil {
			failure = conflict
			break
		}
		if _, lost := d.remote.NewObject(ctx, partial.Remote()); lost != nil { // it may have its key
			failure = &storage.Error{Code: storage.CodeOf(failure), Err: err, Unknown: true}
			if there, _, e := d.object(ctx, key); e == nil && there.Size() == partial.Size() &&
				there.ModTime(ctx).Equal(partial.ModTime(ctx)) {
				return attrsOf(ctx, key, there), nil
			}
			break
		}
		if storage.CodeOf(failure) != storage.Unavailable {
			break
		}
	}
	_ = partial.Remove(context.WithoutCancel(ctx)) // fails if the rename took effect
	return nil, failure
}

// written translates an error of a write. A folder that is missing then was removed meanwhile.
func written(err error) error {
	if e := told(err); storage.CodeOf(e) != storage.ObjectNotFound {
		return e
	}
	return &storage.Error{Code: storage.Unavailable, Err: err}
}

// replaced returns the object that a write replaces, or nil.
func (d *remoteDriver) replaced(ctx context.Context, key string) (fs.Object, error) {
	o, err := d.find(ctx, key)
	switch {
	case err == nil:
		return o, nil
	case errors.Is(err, fs.ErrorIsDir):
		return nil, besideFolder(err)
	case storage.CodeOf(told(err)) == storage.ObjectNotFound:
		return nil, nil
	}
	return nil, told(err)
}

func besideFolder(err error) error {
	return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "a file and a folder cannot have the same name"}
}

// inTheWay tells why a write with this key failed: a folder has its name, or a file that of one of its folders.
func (d *remoteDriver) inTheWay(ctx context.Context, key string, failed error) error {
	if d.features.BucketBased {
		return nil
	}
	if _, err := d.remote.List(ctx, key); err == nil {
		return besideFolder(failed)
	}
	if d.underObject(ctx, key) {
		return besideFolder(failed)
	}
	return nil
}

// timeAfter returns the time of a new object: now, or later than the object that it replaces.
func (d *remoteDriver) timeAfter(replaced fs.Object) time.Time {
	now, unit := time.Now(), d.precision()
	if replaced == nil || unit == 0 {
		return now
	}
	if next := replaced.ModTime(context.Background()).Add(unit); next.After(now.Truncate(unit)) {
		return next
	}
	return now
}

// upload uploads a body, and fails if the store has not all of it.
func (d *remoteDriver) upload(
	ctx context.Context, key string, body io.Reader, size int64, modified time.Time,
) (fs.Object, error) {
	put := d.remote.Put
	if size < 0 {
		put = d.features.PutStream
	}
	made, err := put(ctx, body, object.NewStaticObjectInfo(key, modified, size, true, nil, d.remote))
	if err != nil {
		return nil, err
	}
	if size >= 0 && made.Size() != size {
		return nil, &storage.Error{
			Code: storage.Unavailable, Err: fmt.Errorf("the store has %d of %d bytes", made.Size(), size),
		}
	}
	return made, nil
}

// uploadPartial uploads a body into the folder of partials. Its time and size are not both those of the replaced
// object.
func (d *remoteDriver) uploadPartial(
	ctx context.Context, body *checkedBody, size int64, replaced fs.Object,
) (fs.Object, error) {
	name := partials + "/" + rand.Text()
	made, err := d.upload(ctx, name, body, size, d.timeAfter(replaced))
	if err == nil {
		err = body.check()
	}
	for err == nil && replaced != nil && made.Size() == replaced.Size() && made.ModTime(ctx).Equal(replaced.ModTime(ctx)) {
		made, err = d.later(ctx, name, made)
	}
	if err != nil {
		if there, e := d.remote.NewObject(context.WithoutCancel(ctx), name); e == nil {
			_ = there.Remove(context.WithoutCancel(ctx))
		}
		return nil, err
	}
	return made, nil
}

// later writes an object again when the clock of the store has moved.
func (d *remoteDriver) later(ctx context.Context, name string, made fs.Object) (fs.Object, error) {
	timer := time.NewTimer(time.Second / 4)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	content, err := made.Open(ctx)
	if err != nil {
		return nil, err
	}
	again, err := d.upload(ctx, name+"-", content, made.Size(), time.Now())
	if err = errors.Join(err, content.Close()); err != nil {
		return nil, err
	}
	return d.features.Move(ctx, again, name)
}

// A checkedBody is the body of a Put. Its last bytes come only if the checksum is right, so that a backend which
// makes the object when the body ends does not make a damaged one.
type checkedBody struct {
	r    *driver.PutRequest
	sum  hash.Hash32
	read int64
	err  error // of Read, but for io.EOF
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.r.Body.Read(p)
	b.sum.Write(p[:n])
	b.read += int64(n)
	if err == nil && b.read == b.r.Size || errors.Is(err, io.EOF) {
		if e := b.check(); e != nil {
			n, err = 0, e
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

// failed returns the error of a Put: the body's own, or that of the store.
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
