package driverstore

import (
	"context"
	"io"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// putRequest returns the driver's request for a write, without the body, and the values to store in the reserved
// metadata. It fails if the condition of the write does not hold.
func (b *driverBucket) putRequest(
	ctx context.Context, w *state.Write, settings *state.Bucket,
) (*driver.PutRequest, url.Values, error) {
	// A new object without a lock gets the bucket's default lock.
	if err := settings.LockNew(&w.Object, b.store.Now()); err != nil {
		return nil, nil, err
	}
	properties, values, err := b.propertiesOf(&w.Object)
	if err != nil {
		return nil, nil, err
	}
	controls, err := controlsOf(b, &w.Object)
	if err != nil {
		return nil, nil, err
	}
	check := func(current *state.Version) error {
		return w.Condition.Check(w.Key, current)
	}
	condition, err := b.guardCondition(ctx, w.Key, w.Condition, check)
	if err != nil {
		return nil, nil, err
	}

	// A size of -1 means that it is unknown.
	return &driver.PutRequest{
		Key:        b.naming().Escape(w.Key),
		Size:       -1,
		Properties: properties,
		Controls:   controls,
		Condition:  condition,
	}, values, nil
}

// controlsOf returns the tags and the lock of an object for the driver, or fails if the driver does not support them.
func controlsOf(b *driverBucket, o *state.Object) (c storage.Controls, err error) {
	if len(o.Properties.Tags) > 0 {
		if err := b.requireFeature(storage.ObjectTags, "tagging"); err != nil {
			return c, err
		}
		c.Tags = tagging.Map(o.Properties.Tags)
	}
	if o.Lock.Mode != "" || o.Lock.Hold == "ON" {
		if err := b.requireFeature(storage.ObjectLock, "object-lock"); err != nil {
			return c, err
		}
		c.Retention = retentionOf(&o.Lock)
		c.LegalHold = o.Lock.Hold == "ON"
	}
	return c, nil
}

// retentionOf converts the lock of a version to the driver's retention.
func retentionOf(l *state.Lock) storage.Retention {
	return storage.Retention{
		Mode:  storage.RetentionMode(strings.ToLower(l.Mode)),
		Until: metadata.RoundUpTime(l.Until),
	}
}

// guardCondition checks the condition c of a write: it calls check with the current version of the key, or with nil,
// and fails if check fails. It returns a condition for the driver that holds only while this version is current, so
// that a concurrent write is detected. If c is empty, guardCondition calls nothing and returns an empty condition.
func (b *driverBucket) guardCondition(
	ctx context.Context, key string, c state.WriteCondition, check func(current *state.Version) error,
) (storage.Condition, error) {
	// Without a condition, any version may be current.
	if c == (state.WriteCondition{}) {
		return storage.Condition{}, nil
	}

	current, err := b.find(ctx, key, "") // nil if the key has no version
	if err != nil {
		return storage.Condition{}, err
	}
	if current != nil {
		defer handleOf(current).close()
	}
	if err := check(current); err != nil {
		return storage.Condition{}, err
	}

	hasObject := current != nil && !current.Marker
	if !hasObject {
		return storage.Condition{Absent: true}, b.requireFeature(storage.ConditionalCreate, "conditional write")
	}

	// A write after this check changes the revision, so that the driver refuses the write.
	unchanged := storage.Condition{Revision: handleOf(current).attrs.Revision}
	return unchanged, b.requireFeature(storage.ConditionalUpdate, "conditional write")
}

// conditionError returns the S3 error for a write whose condition did not hold in the driver. It returns any other
// error as it is.
func conditionError(err error, c state.WriteCondition) error {
	if !isCode(err, storage.PreconditionFailed) {
		return err
	}
	if c.Absent {
		return s3error.New("PreconditionFailed", "Condition", "If-None-Match")
	}
	// The server has checked the condition before, so another write came in between.
	return s3error.New("ConditionalRequestConflict")
}

// Put writes an object. It adds the entity tag and the checksum to the metadata after the body was read, because they
// are known only then.
func (s *Store) Put(ctx context.Context, w *state.Write, body *state.Body) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, w.Bucket)
	if err != nil {
		return nil, "", err
	}
	r, values, err := b.putRequest(ctx, w, settings)
	if err != nil {
		return nil, "", err
	}

	attrs, err := b.put(ctx, r, body, func(crc storage.CRC32C) {
		w.Object.SetContent(body.Digest)
		b.addContent(values, &w.Object, crc)
		r.Metadata[reservedName] = values.Encode()
	})
	if err != nil {
		return nil, "", conditionError(storageerror.ToS3(err, w.Key), w.Condition)
	}
	v, versionID := b.writtenVersion(ctx, w, settings, attrs)
	return v, versionID, nil
}

// put writes an object. When the body was read, and before the object exists, it calls onEnd, which may still change
// the metadata. For a driver that needs the metadata, size or checksum before the body, put first copies the body to a
// file.
func (b *driverBucket) put(
	ctx context.Context, r *driver.PutRequest, src io.Reader, onEnd func(storage.CRC32C),
) (*storage.Attrs, error) {
	if b.has(driver.StreamingPut | driver.LateMetadata) {
		// At its end, the body completes the request.
		r.Body = &summedBody{src: src, onEnd: func(crc storage.CRC32C) {
			r.CRC32C = crc
			onEnd(crc)
		}}
		return b.driver.Put(ctx, r)
	}

	file, err := spool(src)
	if err != nil {
		return nil, err
	}
	defer file.close()

	onEnd(file.crc)
	r.Body = file.File
	r.Size = file.size
	r.CRC32C = file.crc
	return b.driver.Put(ctx, r)
}

// writtenVersion returns the version that a write has created, and its id as clients see it. While versioning is
// suspended, it removes the null version that was replaced.
func (b *driverBucket) writtenVersion(
	ctx context.Context, w *state.Write, settings *state.Bucket, a *storage.Attrs,
) (*state.Version, string) {
	v := &state.Version{
		Key:      w.Key,
		ID:       b.shownVersion(a.Version, a.Modified),
		Modified: a.Modified,
		Object:   w.Object,
	}
	if v.Modified.IsZero() {
		v.Modified = b.store.Now()
	}
	if !b.keepsETags() {
		v.Object.ETag = b.etagOf(a.ETag, a.Revision)
	}

	if settings.Versioning == state.Suspended {
		b.removeReplaced(ctx, w.Key)
	}
	return v, settings.Shown(v)
}

// Copy copies a version of an object, within the driver's store if the driver can.
func (s *Store) Copy(ctx context.Context, w *state.Write, src *state.Version) (*state.Version, string, error) {
	b, settings, err := s.bucketOf(ctx, w.Bucket)
	if err != nil {
		return nil, "", err
	}
	r, values, err := b.putRequest(ctx, w, settings)
	if err != nil {
		return nil, "", err
	}

	h := handleOf(src)
	attrs, err := b.copy(ctx, r, w, values, h)
	if isCode(err, storage.Unsupported) {
		attrs, err = b.copyThrough(ctx, r, w, values, h)
	}
	if err != nil {
		return nil, "", conditionError(storageerror.ToS3(err, w.Key), w.Condition)
	}
	v, versionID := b.writtenVersion(ctx, w, settings, attrs)
	return v, versionID, nil
}

// copy copies the object h within the driver's store, so that its bytes do not pass through this process. It completes
// values, those of the reserved metadata of the copy.
//
// It fails with Unsupported if the driver cannot do that, or if this server must store a checksum that the source does
// not have.
func (b *driverBucket) copy(
	ctx context.Context, r *driver.PutRequest, w *state.Write, values url.Values, h *objectHandle,
) (*storage.Attrs, error) {
	source := h.bucket.driver.Locate(h.attrs.Key)
	isInStore := source.Account != nil && source.Account == b.driver.Locate(r.Key).Account
	if !b.has(storage.ServerCopy) || !isInStore {
		return nil, storage.Unsupported
	}

	// The entity tag is valid only together with the source's CRC32C.
	if b.keepsETags() && !h.attrs.CRC32C.Known {
		return nil, storage.Unsupported
	}

	// The copy has properties of its own, so replace those of the source.
	b.addContent(values, &w.Object, h.attrs.CRC32C)
	r.Metadata[reservedName] = values.Encode()
	source.Version = h.attrs.Version
	source.Revision = h.attrs.Revision
	source.Attrs = h.attrs
	return b.driver.Copy(ctx, &driver.CopyRequest{
		Source:      source,
		Key:         r.Key,
		Properties:  r.Properties,
		Replace:     true,
		Controls:    r.Controls,
		ReplaceTags: true,
		Condition:   r.Condition,
	})
}

// copyThrough copies an object by reading it and writing its bytes. values is the reserved metadata of the new object.
func (b *driverBucket) copyThrough(
	ctx context.Context, r *driver.PutRequest, w *state.Write, values url.Values, h *objectHandle,
) (*storage.Attrs, error) {
	src, err := h.open(ctx, 0, h.attrs.Size)
	if err != nil {
		return nil, err
	}
	defer src.Close()

	// The reserved metadata has the checksum, which is known only at the end of the body.
	onEnd := func(crc storage.CRC32C) {
		b.addContent(values, &w.Object, crc)
		r.Metadata[reservedName] = values.Encode()
	}
	return b.put(ctx, r, src, onEnd)
}
