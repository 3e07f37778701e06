package driverstore

import (
	"context"
	"io"
	"maps"
	"net/url"
	"strings"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// A heldObject is an object that find has returned.
type heldObject struct {
	bucket *driverBucket
	attrs  *storage.Attrs
	body   io.ReadCloser // all of it; nil if it is opened when it is read
	next   io.ReadCloser // what prepare has opened, or nil
}

func held(v *state.Version) *heldObject {
	h, _ := v.Object.Data.(*heldObject)
	return h
}

func (s *Store) Find(ctx context.Context, name state.VersionName) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, name.Bucket)
	if err != nil {
		return nil, "", err
	}
	v, err := b.find(ctx, name.Key, name.ID)
	return v, shownID(settings, v), err
}

func shownID(b *state.Bucket, v *state.Version) string {
	if b.Versioning == "" || v == nil {
		return ""
	}
	return v.ID
}

// find returns a version, or nil. On this machine it opens the object, so that it can be read
// even if it is replaced.
func (b *driverBucket) find(ctx context.Context, key, id string) (*state.Version, error) {
	if isMarkerID(id) {
		return b.names.findMarker(ctx, key, id)
	}
	version, err := b.driverVersion(ctx, key, id)
	if err != nil {
		return nil, err
	}
	request := &storage.GetRequest{Key: b.naming().Escape(key), Version: version, Length: -1}
	h := &heldObject{bucket: b}
	if b.description().Local {
		h.attrs, h.body, err = b.driver.Get(ctx, request)
	} else {
		h.attrs, err = b.driver.Head(ctx, request)
	}
	switch code := storage.CodeOf(err); {
	case code == storage.ObjectNotFound && id == "":
		return b.names.currentMarker(ctx, key)
	case code == storage.ObjectNotFound:
		return b.names.findMarker(ctx, key, id)
	case code == storage.InvalidArgument && id != "":
		return nil, nil
	case err != nil:
		return nil, ErrorOf(err, key)
	}
	tags, err := b.tags(ctx, h.attrs, request)
	if err != nil {
		h.close()
		return nil, ErrorOf(err, key)
	}
	v := b.version(key, h.attrs, tags)
	v.Object.Data = h
	return v, nil
}

func (b *driverBucket) tags(ctx context.Context, a *storage.Attrs, r *storage.GetRequest) (map[string]string, error) {
	if a.TagCount == 0 || !b.has(storage.ObjectTags) {
		return nil, nil
	}
	return b.driver.Tags(ctx, &storage.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
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
		held(v).close()
	}
}

func (s *Store) Prepare(ctx context.Context, v *state.Version, offset, length int64) (err error) {
	h := held(v)
	if h.body != nil || length == 0 {
		return nil
	}
	h.next, err = h.open(ctx, offset, length)
	if isCode(err, storage.PreconditionFailed) || isCode(err, storage.ObjectNotFound) {
		return s3error.New("ServiceUnavailable")
	}
	return err
}

// readBuffers are as long as the blocks of a response.
// maxRead is the number of bytes that are read at a time.
const maxRead = 256 << 10

var readBuffers = sync.Pool{New: func() any { return new([maxRead]byte) }}

func (s *Store) Read(ctx context.Context, v *state.Version, offset, length int64, to io.Writer) (err error) {
	if length == 0 {
		return nil
	}
	h := held(v)
	body := h.next
	if h.next = nil; body == nil {
		if body, err = h.open(ctx, offset, length); err != nil {
			return err
		}
	}
	buffer := readBuffers.Get().(*[maxRead]byte)
	_, err = io.CopyBuffer(to, body, buffer[:]) // a range of a file is no io.WriterTo
	readBuffers.Put(buffer)
	if closing := body.Close(); err == nil {
		err = closing
	}
	return ErrorOf(err, v.Key)
}

// open returns bytes of the object.
func (h *heldObject) open(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
	switch body := h.body.(type) {
	case nil:
	case io.ReaderAt:
		if offset > 0 || length < h.attrs.Size {
			return io.NopCloser(io.NewSectionReader(body, offset, length)), nil
		}
		if seeker, ok := h.body.(io.Seeker); ok {
			if _, err := seeker.Seek(0, io.SeekStart); err == nil {
				return keepOpen{h.body}, nil // perhaps an io.WriterTo
			}
		}
		return io.NopCloser(io.NewSectionReader(body, 0, h.attrs.Size)), nil
	}
	request := &storage.GetRequest{Key: h.attrs.Key, Version: h.attrs.Version, Offset: offset, Length: length}
	if request.Version == "" && h.attrs.Revision != "" {
		request.Condition.Revision = h.attrs.Revision
	}
	_, body, err := h.bucket.driver.Get(ctx, request)
	return body, ErrorOf(err, h.attrs.Key)
}

// keepOpen is a body whose owner closes it.
type keepOpen struct{ io.ReadCloser }

func (keepOpen) Close() error { return nil }

// WriteTo lets the body write itself.
func (k keepOpen) WriteTo(to io.Writer) (int64, error) { return io.Copy(to, k.ReadCloser) }

// putRequest returns the request of a write without body and content, and what is to be kept in
// reserved metadata.
func (b *driverBucket) putRequest(ctx context.Context, w *state.Write, settings *state.Bucket, s *Store) (*storage.PutRequest, url.Values, error) {
	if err := settings.LockNew(&w.Object, s.now()); err != nil {
		return nil, nil, err
	}
	p, kept, err := b.propertiesOf(&w.Object)
	if err != nil {
		return nil, nil, err
	}
	controls, err := controlsOf(b, &w.Object)
	if err != nil {
		return nil, nil, err
	}
	condition, err := b.condition(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	return &storage.PutRequest{Key: b.naming().Escape(w.Key), Size: -1, Properties: p, Controls: controls, Condition: condition}, kept, nil
}

func controlsOf(b *driverBucket, o *state.Object) (c storage.Controls, err error) {
	if len(o.Properties.Tags) > 0 {
		if err := b.need(storage.ObjectTags, "tagging"); err != nil {
			return c, err
		}
		c.Tags = tagMap(o.Properties.Tags)
	}
	if o.Lock.Mode != "" || o.Lock.Hold == "ON" {
		if err := b.need(storage.ObjectLock, "object-lock"); err != nil {
			return c, err
		}
		c.Retention = storage.Retention{Mode: retentionMode(o.Lock.Mode), Until: o.Lock.Until}
		c.LegalHold = o.Lock.Hold == "ON"
	}
	return c, nil
}

func retentionMode(mode string) storage.RetentionMode {
	return storage.RetentionMode(strings.ToLower(mode))
}

func tagMap(tags []tagging.Tag) map[string]string {
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		all[t.Key] = t.Value
	}
	return all
}

// condition checks the condition of a write, and returns that under which the driver must write so
// that it still holds.
func (b *driverBucket) condition(ctx context.Context, w *state.Write) (storage.Condition, error) {
	if w.Condition == (state.WriteCondition{}) {
		return storage.Condition{}, nil
	}
	return b.guard(ctx, w.Key, w.Condition.Check)
}

// guard checks the current version of a key, and returns the condition that it is still current.
func (b *driverBucket) guard(ctx context.Context, key string, check func(key string, current *state.Version) error) (storage.Condition, error) {
	current, err := b.find(ctx, key, "")
	if err != nil {
		return storage.Condition{}, err
	}
	if current != nil {
		defer held(current).close()
	}
	if err := check(key, current); err != nil {
		return storage.Condition{}, err
	}
	if current == nil || current.Marker {
		return storage.Condition{Absent: true}, b.need(storage.ConditionalCreate, "conditional write")
	}
	return storage.Condition{Revision: held(current).attrs.Revision}, b.need(storage.ConditionalUpdate, "conditional write")
}

// lost returns the error of a write whose condition did not hold any more.
func lost(err error, c state.WriteCondition) error {
	if !isCode(err, storage.PreconditionFailed) {
		return err
	}
	if c.Absent {
		return s3error.New("PreconditionFailed", "Condition", "If-None-Match")
	}
	return s3error.New("ConditionalRequestConflict")
}

func (s *Store) Put(ctx context.Context, w *state.Write, body *state.Body) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, w.Bucket)
	if err != nil {
		return nil, "", err
	}
	r, kept, err := b.putRequest(ctx, w, settings, s)
	if err != nil {
		return nil, "", err
	}
	attrs, err := b.put(ctx, r, body, func(crc storage.CRC32C) {
		w.Object.SetContent(body.Digest)
		b.keepContent(kept, &w.Object, crc)
		r.Metadata[reservedName] = kept.Encode()
	})
	if err != nil {
		return nil, "", lost(ErrorOf(err, w.Key), w.Condition)
	}
	v, shown := b.written(ctx, w, settings, attrs, s)
	return v, shown, nil
}

// put writes a body. It calls ended when the body has ended, before the object is there.
func (b *driverBucket) put(ctx context.Context, r *storage.PutRequest, from io.Reader, ended func(storage.CRC32C)) (*storage.Attrs, error) {
	if b.has(storage.StreamingPut | storage.LateMetadata) {
		r.Body = newSummedBody(from, func(crc storage.CRC32C) error {
			r.CRC32C = crc
			ended(crc)
			return nil
		})
		return b.driver.Put(ctx, r)
	}
	file, err := spool(from)
	if err != nil {
		return nil, err
	}
	defer file.close()
	ended(file.crc)
	r.Body, r.Size, r.CRC32C = file.File, file.size, file.crc
	return b.driver.Put(ctx, r)
}

// written returns the version that a write has made. It removes the null version that this one
// replaces.
func (b *driverBucket) written(ctx context.Context, w *state.Write, settings *state.Bucket, a *storage.Attrs, s *Store) (*state.Version, string) {
	v := &state.Version{Key: w.Key, ID: b.shownVersion(a.Version, a.Modified), Modified: a.Modified, Object: w.Object}
	if v.Modified.IsZero() {
		v.Modified = s.now()
	}
	if !b.keepsETags() {
		v.Object.ETag = b.etagOf(a.ETag, a.Revision)
	}
	if settings.Versioning == state.Suspended {
		b.removeReplaced(ctx, w.Key)
	}
	return v, shownID(settings, v)
}

func (s *Store) Copy(ctx context.Context, w *state.Write, from *state.Version) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, w.Bucket)
	if err != nil {
		return nil, "", err
	}
	r, kept, err := b.putRequest(ctx, w, settings, s)
	if err != nil {
		return nil, "", err
	}
	h := held(from)
	attrs, err := b.copy(ctx, r, w, kept, h)
	if isCode(err, storage.Unsupported) {
		attrs, err = b.copyThrough(ctx, r, w, kept, h)
	}
	if err != nil {
		return nil, "", lost(ErrorOf(err, w.Key), w.Condition)
	}
	v, shown := b.written(ctx, w, settings, attrs, s)
	return v, shown, nil
}

// copy lets the driver copy. A source whose checksum is not known is copied through this process,
// because the entity tag could not be kept.
func (b *driverBucket) copy(ctx context.Context, r *storage.PutRequest, w *state.Write, kept url.Values, h *heldObject) (*storage.Attrs, error) {
	source := h.bucket.driver.Locate(h.attrs.Key)
	if !b.has(storage.ServerCopy) || source.Account == nil || source.Account != b.driver.Locate(r.Key).Account || !h.attrs.CRC32C.Known && b.keepsETags() {
		return nil, storage.Unsupported
	}
	b.keepContent(kept, &w.Object, h.attrs.CRC32C)
	r.Metadata[reservedName] = kept.Encode()
	source.Version, source.Revision, source.Attrs = h.attrs.Version, h.attrs.Revision, h.attrs
	return b.driver.Copy(ctx, &storage.CopyRequest{
		Source: source, Key: r.Key, Properties: r.Properties, Replace: true, Controls: r.Controls, ReplaceTags: true, Condition: r.Condition,
	})
}

func (b *driverBucket) copyThrough(ctx context.Context, r *storage.PutRequest, w *state.Write, kept url.Values, h *heldObject) (*storage.Attrs, error) {
	from, err := h.open(ctx, 0, h.attrs.Size)
	if err != nil {
		return nil, err
	}
	defer func() { _ = from.Close() }()
	return b.put(ctx, r, from, func(crc storage.CRC32C) {
		b.keepContent(kept, &w.Object, crc)
		r.Metadata[reservedName] = kept.Encode()
	})
}

func (s *Store) Change(ctx context.Context, name state.VersionName, change func(*state.Bucket, *state.Version) error) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, name.Bucket)
	if err != nil {
		return nil, "", err
	}
	defer s.keys.lock(name.Bucket + "/" + name.Key)()
	old, err := b.find(ctx, name.Key, name.ID)
	if err != nil {
		return nil, "", err
	}
	defer s.Release(old)
	if err := state.Readable(old, name); err != nil {
		return nil, shownID(settings, old), err
	}
	changed := *old
	if err := change(settings, &changed); err != nil {
		return nil, "", err
	}
	if err := b.change(ctx, old, &changed); err != nil {
		return nil, "", ErrorOf(err, name.Key)
	}
	return &changed, shownID(settings, old), nil
}

// change makes the driver's object what changed says.
func (b *driverBucket) change(ctx context.Context, old, changed *state.Version) error {
	a := held(old).attrs
	r := &storage.ChangeRequest{Key: a.Key, Version: a.Version, BypassGovernance: true} // the caller has checked the bypass
	if was, is := old.Object.Lock, changed.Object.Lock; was.Mode != is.Mode || !was.Until.Equal(is.Until) {
		if err := b.need(storage.ObjectLock, "object-lock"); err != nil {
			return err
		}
		r.Retention = storage.Retention{Mode: retentionMode(is.Mode), Until: is.Until}
		if err := b.driver.SetRetention(ctx, r); err != nil {
			return err
		}
	}
	if was, is := old.Object.Lock.Hold == "ON", changed.Object.Lock.Hold == "ON"; was != is {
		if err := b.need(storage.ObjectLock, "object-lock"); err != nil {
			return err
		}
		r.LegalHold = is
		if err := b.driver.SetLegalHold(ctx, r); err != nil {
			return err
		}
	}
	return b.changeTags(ctx, r, old, changed)
}

// changeTags sets the tags, and the changes that are kept in one.
func (b *driverBucket) changeTags(ctx context.Context, r *storage.ChangeRequest, old, changed *state.Version) error {
	was, err := changesOf(&old.Object)
	if err != nil {
		return err
	}
	is, err := changesOf(&changed.Object)
	if err != nil {
		return err
	}
	if !b.description().Local { // providers do not tell a hold that was ended from none
		was.Del(keptHold)
		is.Del(keptHold)
	}
	tags, before := tagMap(changed.Object.Properties.Tags), tagMap(old.Object.Properties.Tags)
	rest := is.Encode()
	if rest == was.Encode() && maps.Equal(tags, before) {
		return nil
	}
	if err := b.need(storage.ObjectTags, "tagging"); err != nil {
		return err
	}
	if rest != was.Encode() || b.hasChanges(ctx, r) {
		if !b.description().Local {
			return s3error.New("NotImplemented").WithMessage("The store behind this server cannot change this of an object")
		}
		tags[reservedTag] = rest
	}
	r.Tags = tags
	return b.driver.SetTags(ctx, r)
}

// hasChanges reports whether the object already has the reserved tag.
func (b *driverBucket) hasChanges(ctx context.Context, r *storage.ChangeRequest) bool {
	tags, err := b.driver.Tags(ctx, &storage.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err == nil && tags[reservedTag] != ""
}
