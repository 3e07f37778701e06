package driverstore

import (
	"cmp"
	"context"
	"io"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
)

// A heldObject gives access to an object of the driver. The method find returns a version with the
// heldObject in its field Object.Data. The caller must release the version, which closes the
// heldObject.
type heldObject struct {
	bucket *driverBucket
	attrs  *storage.Attrs
	body   io.ReadCloser // body of the whole object; nil unless the store is on this machine
	next   io.ReadCloser // body that Prepare has opened for Read, or nil
}

func newHeldObject(v *state.Version) *heldObject {
	h, _ := v.Object.Data.(*heldObject)
	return h
}

func (s *Store) Find(ctx context.Context, name state.VersionName) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, name.Bucket)
	if err != nil {
		return nil, "", err
	}
	v, err := b.find(ctx, name.Key, name.ID)
	return v, settings.Shown(v), err
}

// find returns a version, or nil if there is none. If the store is on this machine, find opens the
// object, so that it can be read even after it is replaced.
func (b *driverBucket) find(ctx context.Context, key, id string) (*state.Version, error) {
	if isMarkerID(id) {
		return b.names.findMarker(ctx, key, id)
	}
	version, err := b.driverVersion(ctx, key, id)
	if err != nil {
		return nil, err
	}
	request := &driver.GetRequest{Key: b.naming().Escape(key), Version: version, Length: -1}
	h := &heldObject{bucket: b}
	if b.description().Local {
		h.attrs, h.body, err = b.driver.Get(ctx, request)
	} else {
		h.attrs, err = b.driver.Head(ctx, request)
	}
	code := storage.CodeOf(err)
	if code == storage.ObjectNotFound {
		if newer, err := b.driverVersion(ctx, key, id); err == nil && newer != version {
			return b.find(ctx, key, id) // the null version was replaced in the meantime
		}
		return b.names.findMarker(ctx, key, id)
	}
	if code == storage.InvalidArgument && id != "" {
		return nil, nil
	}
	if err != nil {
		return nil, storageerror.ToS3(err, key)
	}
	request.Condition.Revision = h.attrs.Revision // the tags must belong to the same object
	tags, err := b.tags(ctx, h.attrs, request)
	if err != nil {
		h.close()
		if isCode(err, storage.PreconditionFailed) {
			return b.find(ctx, key, id) // the object was replaced in the meantime
		}
		return nil, storageerror.ToS3(err, key)
	}
	v := b.version(key, h.attrs, tags)
	v.Object.Data = h
	return v, nil
}

func (b *driverBucket) tags(ctx context.Context, a *storage.Attrs, r *driver.GetRequest) (map[string]string, error) {
	if a.TagCount == 0 || !b.has(storage.ObjectTags) {
		return nil, nil
	}
	return b.driver.Tags(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Condition: r.Condition, Length: -1})
}

func (h *heldObject) close() {
	if h == nil {
		return
	}
	for _, body := range []io.ReadCloser{h.body, h.next} {
		if body != nil {
			_ = body.Close()
		}
	}
}

func (s *Store) Release(v *state.Version) {
	if v != nil {
		newHeldObject(v).close()
	}
}

func (s *Store) Prepare(ctx context.Context, v *state.Version, offset, length int64) (err error) {
	h := newHeldObject(v)
	if _, ok := h.body.(io.ReaderAt); !ok && length > 0 {
		h.next, err = h.open(ctx, offset, length)
	}
	return err
}

// maxRead is the size in bytes of the buffer for copying an object to a response.
const maxRead = 256 << 10

var readBuffers = sync.Pool{New: func() any { return new([maxRead]byte) }}

func (s *Store) Read(ctx context.Context, v *state.Version, offset, length int64, dst io.Writer) (err error) {
	if length == 0 {
		return nil
	}
	h := newHeldObject(v)
	body := h.next
	h.next = nil
	if body == nil {
		if body, err = h.open(ctx, offset, length); err != nil {
			return err
		}
	}
	buffer := readBuffers.Get().(*[maxRead]byte)
	// io.CopyBuffer ignores the buffer if body is an io.WriterTo. A range of a file is no
	// io.WriterTo, and needs the buffer.
	_, err = io.CopyBuffer(dst, body, buffer[:])
	readBuffers.Put(buffer)
	return storageerror.ToS3(cmp.Or(err, body.Close()), v.Key)
}

// open returns a reader of a range of the object. If the object was replaced in the meantime, it
// fails with ServiceUnavailable, and a retry reads the new object.
func (h *heldObject) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	switch body := h.body.(type) {
	case nil:
	case io.ReaderAt:
		if offset > 0 || length < h.attrs.Size {
			return io.NopCloser(io.NewSectionReader(body, offset, length)), nil
		}
		if seeker, ok := h.body.(io.Seeker); ok {
			if _, err := seeker.Seek(0, io.SeekStart); err == nil {
				return io.NopCloser(h.body), nil // io.NopCloser keeps the method WriteTo of a body
			}
		}
		return io.NopCloser(io.NewSectionReader(body, 0, h.attrs.Size)), nil
	}
	request := &driver.GetRequest{Key: h.attrs.Key, Version: h.attrs.Version, Offset: offset, Length: length}
	// A caching layer needs the revision, too. By default, it caches only reads with a revision.
	request.Condition.Revision = h.attrs.Revision
	_, body, err := h.bucket.driver.Get(ctx, request)
	if isCode(err, storage.PreconditionFailed) || isCode(err, storage.ObjectNotFound) {
		return nil, s3error.New("ServiceUnavailable")
	}
	return body, storageerror.ToS3(err, h.attrs.Key)
}
