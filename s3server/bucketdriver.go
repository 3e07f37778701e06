package s3server

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// Bucket returns a bucket of the server, to put objects in before a test and to look at them
// after it. It needs no HTTP, no credentials and no permission; faults do not apply to it, and
// [Handler.Requests] does not show it. Its objects have the same ETags that clients see. If
// there is no such bucket, its operations fail with [storage.BucketNotFound].
func (h *Handler) Bucket(name string, opts ...storage.OpenOption) storage.Bucket {
	return engine.New(&bucketDriver{handler: h, bucket: name}, opts...)
}

// A bucketDriver is a bucket of the store in the terms of package storage.
type bucketDriver struct {
	driver.UnimplementedDriver
	handler *Handler
	bucket  string
}

var _ driver.Driver = (*bucketDriver)(nil)

// Describe asks the bucket whether it keeps versions.
func (d *bucketDriver) Describe() driver.Description {
	features := driver.StreamingPut | storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
		storage.Metadata | storage.ContentProperties | storage.StoredChecksums | storage.KeysBesideFolders |
		storage.LongSegments | storage.LeadingSlashes | storage.StorageClasses | storage.ObjectTags | storage.Versioning | storage.OrderedListing
	description := driver.Description{
		Provider: "s3server", Bucket: d.bucket, Features: features, Location: d.handler.id, Local: true,
		ASCIIMetadata:  true,
		EnableVersions: d.enableVersions,
		MaxPage:        d.handler.limits.MaxPage, MaxPutSize: d.handler.limits.MaxPutSize,
		MaxSize: d.handler.limits.MaxPutSize,
	}
	if b, err := d.handler.store.Bucket(context.Background(), d.bucket); err == nil {
		description.Versioned = b.Versioning != ""
	}
	return description
}

// enableVersions makes the bucket keep versions. If there is no bucket, the first operation
// reports it.
func (d *bucketDriver) enableVersions() {
	_ = d.handler.store.ChangeBucket(context.Background(), d.bucket, func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		return nil
	})
}

// request returns a request for a key that no client has sent.
func (d *bucketDriver) request(ctx context.Context, key string) *request {
	r := &http.Request{Method: http.MethodPut, URL: &url.URL{Path: "/" + d.bucket + "/" + key}, Header: http.Header{}}
	return &request{in: r.WithContext(ctx), server: d.handler, target: target{d.bucket, key}, fault: &noFault}
}

// Put checks the properties as PutObject does.
func (d *bucketDriver) Put(ctx context.Context, in *driver.PutRequest) (*storage.Attrs, error) {
	r := d.request(ctx, in.Key)
	if err := checkKey(in.Key); err != nil {
		return nil, storageError(err)
	}
	if b, err := r.server.store.Bucket(ctx, d.bucket); err == nil {
		r.caller.account = b.Account // the object is the bucket owner's
	}
	o, err := newObject(r, headersOf(in))
	if err != nil {
		return nil, storageError(err)
	}
	digest := checksum.NewDigest(checksum.ByName("CRC32C"), false)
	limited := &io.LimitedReader{R: in.Body, N: r.server.limits.MaxPutSize + 1}
	b := &state.Body{From: io.TeeReader(limited, digest), Size: in.Size, Digest: digest, Check: func() error {
		switch {
		case limited.N <= 0:
			return tooLarge(digest.Size, r.server.limits.MaxPutSize)
		case in.CRC32C.Known && in.CRC32C.Sum != crc32cOf(digest.Sum()).Sum:
			return storage.ChecksumMismatch
		}
		return nil
	}}
	c := state.WriteCondition{Absent: in.Condition.Absent, Match: in.Condition.Revision}
	v, shown, err := r.server.store.Put(ctx, r.write(o, c), b)
	if err != nil {
		if b.Failed != nil {
			err = b.Failed
		}
		if s3error.Is(err, "NoSuchKey") {
			return nil, storage.PreconditionFailed // no object could have the revision
		}
		return nil, storageError(err)
	}
	return attrsOf(v, shown), nil
}

func (d *bucketDriver) checkVersion(id string) error {
	if id != "" && !d.handler.store.ValidID(id) {
		return storage.InvalidArgument
	}
	return nil
}

// find returns the object that a read requests. The caller must release it.
func (d *bucketDriver) find(ctx context.Context, in *driver.GetRequest) (v *state.Version, shown string, err error) {
	if err := d.checkVersion(in.Version); err != nil {
		return nil, "", err
	}
	v, shown, err = d.request(ctx, in.Key).find(state.VersionName{Bucket: d.bucket, Key: in.Key, ID: in.Version})
	if err == nil {
		switch {
		case in.Condition.Revision != "" && in.Condition.Revision != v.Object.ETag:
			err = storage.PreconditionFailed
		case in.Condition.NotRevision != "" && in.Condition.NotRevision == v.Object.ETag:
			err = storage.NotModified
		}
	}
	if err != nil {
		d.handler.store.Release(v)
		return nil, "", storageError(err)
	}
	return v, shown, nil
}

// Get also reads objects that clients can read only with their own key.
func (d *bucketDriver) Get(ctx context.Context, in *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	v, shown, err := d.find(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	from, to, err := in.Span(v.Object.Size)
	if err == nil && d.handler.archived(v) {
		err = storage.Archived
	}
	if err == nil {
		err = storageError(d.handler.store.Prepare(ctx, v, from, to-from))
	}
	if err != nil {
		d.handler.store.Release(v)
		return nil, nil, err
	}
	return attrsOf(v, shown), d.open(ctx, v, from, to-from), nil
}

// A storedBody reads bytes that a goroutine writes, which ends by Close.
type storedBody struct {
	*io.PipeReader
	done chan struct{}
}

func (d *bucketDriver) open(ctx context.Context, v *state.Version, offset, length int64) io.ReadCloser {
	reader, writer := io.Pipe()
	b := &storedBody{reader, make(chan struct{})}
	go func() {
		defer close(b.done)
		defer d.handler.store.Release(v)
		writer.CloseWithError(d.handler.store.Read(ctx, v, offset, length, writer))
	}()
	return b
}

// Close makes a waiting Read return.
func (b *storedBody) Close() error {
	_ = b.PipeReader.Close() // Close of a pipe never fails
	<-b.done
	return nil
}

// Head returns what Get does, without the bytes.
func (d *bucketDriver) Head(ctx context.Context, in *driver.GetRequest) (*storage.Attrs, error) {
	v, shown, err := d.find(ctx, in)
	if err != nil {
		return nil, err
	}
	defer d.handler.store.Release(v)
	return attrsOf(v, shown), nil
}

// Delete of the current object writes a delete marker, if the bucket keeps versions.
func (d *bucketDriver) Delete(ctx context.Context, in *driver.DeleteRequest) error {
	if err := d.checkVersion(in.Version); err != nil {
		return err
	}
	_, err := d.handler.store.Remove(ctx, &state.RemoveRequest{
		VersionName: state.VersionName{
			Bucket: d.bucket, Key: in.Key, ID: in.Version,
		}, Condition: state.WriteCondition{Match: in.Condition.Revision}, Bypass: in.BypassGovernance,
	})
	switch {
	case s3error.Is(err, "NoSuchKey"), s3error.Is(err, "NoSuchVersion"):
		return nil
	case s3error.Is(err, "AccessDenied"):
		return storage.Locked
	}
	return storageError(err)
}

// Tags returns the tags of an object.
func (d *bucketDriver) Tags(ctx context.Context, in *driver.GetRequest) (map[string]string, error) {
	v, _, err := d.find(ctx, in)
	if err != nil {
		return nil, err
	}
	defer d.handler.store.Release(v)
	return tagging.Map(v.Object.Properties.Tags), nil
}

// SetTags replaces the tags of an object.
func (d *bucketDriver) SetTags(ctx context.Context, in *driver.ChangeRequest) error {
	var tags []tagging.Tag
	for key, value := range in.Tags {
		tags = append(tags, tagging.Tag{Key: key, Value: value})
	}
	if err := tagging.Check(tags); err != nil {
		return storageError(err)
	}
	if err := d.checkVersion(in.Version); err != nil {
		return err
	}
	_, _, err := d.handler.store.Change(
		ctx, state.VersionName{Bucket: d.bucket, Key: in.Key, ID: in.Version},
		func(_ *state.Bucket, v *state.Version) error {
			v.Object.Properties.Tags = tags
			return nil
		},
	)
	return storageError(err)
}
