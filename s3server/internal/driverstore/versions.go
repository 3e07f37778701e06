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

// A objectHandle gives access to an object of the driver. The method find returns a version with the
// objectHandle in its field Object.Data. The caller must release the version, which closes the
// objectHandle.
type objectHandle struct {
	bucket *driverBucket
	attrs  *storage.Attrs
	body   io.ReadCloser // body of the whole object; nil unless the store is on this machine
	next   io.ReadCloser // body that Prepare has opened for Read, or nil
}

// handleOf returns the object that find has put into a version, or nil if the version is a delete marker.
func handleOf(v *state.Version) *objectHandle {
	h, _ := v.Object.Data.(*objectHandle)
	return h
}

// Find returns a version, which the caller must release, and its id as clients see it. If there is none, the version is
// nil.
func (s *Store) Find(ctx context.Context, name state.VersionName) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, name.Bucket)
	if err != nil {
		return nil, "", err
	}
	v, err := b.find(ctx, name.Key, name.ID)
	return v, settings.Shown(v), err
}

// find returns a version, or nil if there is none. In a store on this machine, it opens the object, which can then be
// read even after it was replaced.
func (b *driverBucket) find(ctx context.Context, key, id string) (*state.Version, error) {
	if isMarkerID(id) {
		return b.names.findMarker(ctx, key, id)
	}
	version, err := b.driverVersion(ctx, key, id)
	if err != nil {
		return nil, err
	}

	// A length of -1 means the whole object.
	request := &driver.GetRequest{Key: b.naming().Escape(key), Version: version, Length: -1}
	h, err := b.openHandle(ctx, request)
	if err != nil {
		code := storage.CodeOf(err)
		if code == storage.ObjectNotFound {
			return b.findInstead(ctx, key, id, version)
		}
		if code == storage.InvalidArgument && id != "" {
			// No version can have such an id.
			return nil, nil
		}
		return nil, storageerror.ToS3(err, key)
	}

	// The tags must belong to the same object.
	request.Condition.Revision = h.attrs.Revision
	tags, err := b.tags(ctx, h.attrs, request)
	if err != nil {
		h.close()
		isReplaced := isCode(err, storage.PreconditionFailed)
		if isReplaced {
			return b.find(ctx, key, id)
		}
		return nil, storageerror.ToS3(err, key)
	}
	v := b.version(key, h.attrs, tags)
	v.Object.Data = h
	return v, nil
}

// openHandle reads the attributes of an object and, in a store on this machine, opens its body.
func (b *driverBucket) openHandle(ctx context.Context, r *driver.GetRequest) (h *objectHandle, err error) {
	h = &objectHandle{bucket: b}
	if b.description().Local {
		h.attrs, h.body, err = b.driver.Get(ctx, r)
	} else {
		h.attrs, err = b.driver.Head(ctx, r)
	}
	return h, err
}

// findInstead is find after the driver had no version with its id missing. Another null version may have replaced it in
// the meantime, or the id may be that of a delete marker.
func (b *driverBucket) findInstead(ctx context.Context, key, id, missing string) (*state.Version, error) {
	newer, err := b.driverVersion(ctx, key, id)
	if err == nil && newer != missing {
		return b.find(ctx, key, id)
	}
	return b.names.findMarker(ctx, key, id)
}

// tags returns the tags of the object that r names, and asks the driver only if the attributes say that there are some.
func (b *driverBucket) tags(ctx context.Context, a *storage.Attrs, r *driver.GetRequest) (map[string]string, error) {
	if a.TagCount == 0 || !b.has(storage.ObjectTags) {
		return nil, nil
	}
	return b.driver.Tags(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Condition: r.Condition, Length: -1})
}

// close closes the bodies that were opened for the object, if any. h may be nil.
func (h *objectHandle) close() {
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
		handleOf(v).close()
	}
}

// Prepare opens the body of a range before the response begins, so that an error can still be its status.
func (s *Store) Prepare(ctx context.Context, v *state.Version, offset, length int64) (err error) {
	h := handleOf(v)
	_, hasRandomAccess := h.body.(io.ReaderAt) // if so, every range can be read from the open body
	if hasRandomAccess || length <= 0 {
		return nil
	}
	h.next, err = h.open(ctx, offset, length)
	return err
}

// maxRead is the size in bytes of the buffer for copying an object to a response.
const maxRead = 256 << 10

// readBuffers has buffers for copying, because a new one for each response would burden the garbage collector.
var readBuffers = sync.Pool{New: func() any { return new([maxRead]byte) }}

// Read writes a range of a version to dst, from the body that Prepare has opened for it, if any.
func (s *Store) Read(ctx context.Context, v *state.Version, offset, length int64, dst io.Writer) error {
	if length == 0 {
		return nil
	}

	body, err := handleOf(v).takeBody(ctx, offset, length)
	if err != nil {
		return err
	}

	// io.CopyBuffer ignores the buffer if body is an io.WriterTo, which a range of a file is not.
	buffer := readBuffers.Get().(*[maxRead]byte)
	_, copyErr := io.CopyBuffer(dst, body, buffer[:])
	readBuffers.Put(buffer)
	closeErr := body.Close()
	return storageerror.ToS3(cmp.Or(copyErr, closeErr), v.Key)
}

// takeBody returns the body that Prepare has opened for a range, or else opens one. The caller must close it.
func (h *objectHandle) takeBody(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	if h.next == nil {
		return h.open(ctx, offset, length)
	}
	body := h.next
	h.next = nil
	return body, nil
}

// section returns a reader of a range of h.body, which is body. For the whole object, this is the body itself if
// possible, because io.NopCloser keeps its method WriteTo.
func (h *objectHandle) section(body io.ReaderAt, offset, length int64) io.Reader {
	isWhole := offset <= 0 && length >= h.attrs.Size
	if !isWhole {
		return io.NewSectionReader(body, offset, length)
	}

	seeker, canSeek := h.body.(io.Seeker)
	if !canSeek {
		return io.NewSectionReader(body, 0, h.attrs.Size)
	}
	_, err := seeker.Seek(0, io.SeekStart)
	if err != nil {
		return io.NewSectionReader(body, 0, h.attrs.Size)
	}
	return h.body
}

// open returns a reader of a range of the object. If the object was replaced in the meantime, it fails with
// ServiceUnavailable, so that the client tries again and reads the new object.
func (h *objectHandle) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	// A body with random access, such as a file, needs no other request.
	if body, ok := h.body.(io.ReaderAt); ok {
		return io.NopCloser(h.section(body, offset, length)), nil
	}

	// The read fails if the object has another revision. A caching layer needs the revision, too: by default, it caches
	// only reads with a revision.
	request := &driver.GetRequest{Key: h.attrs.Key, Version: h.attrs.Version, Offset: offset, Length: length}
	request.Condition.Revision = h.attrs.Revision
	_, body, err := h.bucket.driver.Get(ctx, request)
	if isCode(err, storage.PreconditionFailed) || isCode(err, storage.ObjectNotFound) {
		return nil, s3error.New("ServiceUnavailable")
	}
	return body, storageerror.ToS3(err, h.attrs.Key)
}
