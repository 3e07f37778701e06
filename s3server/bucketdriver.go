package s3server

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// Bucket returns a bucket of the server, to put objects in before a test and to look at them
// after it. It needs no HTTP, no credentials and no permission; faults do not apply to it, and
// [Handler.Requests] does not show it. Its objects have the same ETags that clients see. If
// there is no such bucket, its operations fail with [storage.BucketNotFound].
func (h *Handler) Bucket(name string, opts ...storage.OpenOption) storage.Bucket {
	return storage.New(&bucketDriver{handler: h, bucket: name}, opts...)
}

// A bucketDriver is a bucket of the store in the terms of package storage.
type bucketDriver struct {
	storage.UnimplementedDriver
	handler *Handler
	bucket  string
}

var _ storage.Driver = (*bucketDriver)(nil)

// Describe asks the bucket whether it keeps versions.
func (d *bucketDriver) Describe() storage.Description {
	features := storage.StreamingPut | storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
		storage.Metadata | storage.ContentProperties | storage.StoredChecksums | storage.KeysBesideFolders |
		storage.LongSegments | storage.LeadingSlashes | storage.StorageClasses | storage.ObjectTags | storage.Versioning
	description := storage.Description{
		Provider: "s3server", Bucket: d.bucket, Location: d.handler.id, Local: true, ASCIIMetadata: true,
		EnableVersions: d.enableVersions,
		MaxPage:        d.handler.limits.MaxPage, MaxPutSize: d.handler.limits.MaxPutSize, MaxSize: d.handler.limits.MaxPutSize,
	}
	if d.handler.config.folderOrder {
		description.FolderOrder = true
	} else {
		features |= storage.OrderedListing
	}
	if b, err := d.handler.store.Bucket(context.Background(), d.bucket); err == nil {
		description.Versioned = b.Versioning != ""
	}
	description.Features = features
	return description
}

// enableVersions leaves it to the first operation to say that there is no bucket.
func (d *bucketDriver) enableVersions() {
	_ = d.handler.store.ChangeBucket(context.Background(), d.bucket, func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		return nil
	})
}

// request returns a request for a key that no client has sent.
func (d *bucketDriver) request(ctx context.Context, key string) *request {
	r := &http.Request{Method: http.MethodPut, URL: &url.URL{Path: "/" + d.bucket + "/" + key}, Header: http.Header{}}
	return &request{in: r.WithContext(ctx), server: d.handler, target: target{d.bucket, key}}
}

// Put checks the properties as PutObject does.
func (d *bucketDriver) Put(ctx context.Context, in *storage.PutRequest) (*storage.Attrs, error) {
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
		if code(err) == "NoSuchKey" {
			return nil, storage.PreconditionFailed // there is nothing that could have the revision
		}
		return nil, storageError(err)
	}
	return attrsOf(v, shown), nil
}

// headersOf returns the headers of PutObject.
func headersOf(in *storage.PutRequest) http.Header {
	header := http.Header{}
	for name, value := range map[string]string{
		"Content-Type": in.ContentType, "Content-Encoding": in.ContentEncoding, "Content-Disposition": in.ContentDisposition,
		"Content-Language": in.ContentLanguage, "Cache-Control": in.CacheControl, "X-Amz-Storage-Class": in.StorageClass,
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	for name, value := range in.Metadata {
		header.Set(headers.MetadataPrefix+name, value)
	}
	if len(in.Tags) > 0 {
		query := url.Values{}
		for key, value := range in.Tags {
			query.Set(key, value)
		}
		header.Set("X-Amz-Tagging", query.Encode())
	}
	return header
}

func (d *bucketDriver) checkVersion(id string) error {
	if id != "" && !d.handler.store.ValidID(id) {
		return storage.InvalidArgument
	}
	return nil
}

// find returns the object that a read asks for. The caller must release it.
func (d *bucketDriver) find(ctx context.Context, in *storage.GetRequest) (v *state.Version, shown string, err error) {
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

// Get reads an object that clients could read only with their key, too.
func (d *bucketDriver) Get(ctx context.Context, in *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
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

// Close makes a Read that waits return.
func (b *storedBody) Close() error {
	_ = b.PipeReader.Close() // it never fails
	<-b.done
	return nil
}

// Head returns all but the bytes.
func (d *bucketDriver) Head(ctx context.Context, in *storage.GetRequest) (*storage.Attrs, error) {
	v, shown, err := d.find(ctx, in)
	if err != nil {
		return nil, err
	}
	defer d.handler.store.Release(v)
	return attrsOf(v, shown), nil
}

// Delete of the current object writes a delete marker, if the bucket keeps versions.
func (d *bucketDriver) Delete(ctx context.Context, in *storage.DeleteRequest) error {
	if err := d.checkVersion(in.Version); err != nil {
		return err
	}
	_, err := d.handler.store.Remove(ctx, &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: d.bucket, Key: in.Key, ID: in.Version}, Condition: state.WriteCondition{Match: in.Condition.Revision}, Bypass: in.BypassGovernance,
	})
	switch code(err) {
	case "NoSuchKey", "NoSuchVersion":
		return nil
	case "AccessDenied":
		return storage.Locked
	}
	return storageError(err)
}

// Tags returns the tags of an object.
func (d *bucketDriver) Tags(ctx context.Context, in *storage.GetRequest) (map[string]string, error) {
	v, _, err := d.find(ctx, in)
	if err != nil {
		return nil, err
	}
	defer d.handler.store.Release(v)
	tags := map[string]string{}
	for _, t := range v.Object.Properties.Tags {
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// SetTags replaces the tags of an object.
func (d *bucketDriver) SetTags(ctx context.Context, in *storage.ChangeRequest) error {
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
	_, _, err := d.handler.store.Change(ctx, state.VersionName{Bucket: d.bucket, Key: in.Key, ID: in.Version}, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = tags
		return nil
	})
	return storageError(err)
}

// List has the position of its last entry as its token.
func (d *bucketDriver) List(ctx context.Context, in *storage.ListRequest) (*storage.Page, error) {
	after, kind := state.Position{Key: in.StartAfter}, ""
	if in.Token != "" {
		kind, after.Key = in.Token[:1], in.Token[1:]
		after.Prefix = kind == "p"
	}
	page, last := &storage.Page{Entries: in.Entries[:0]}, ""
	l := state.Listing{Prefix: in.Prefix, Delimiter: in.Delimiter, Max: in.Limit}
	more, err := d.handler.store.List(ctx, d.bucket, l, after, func(v *state.Version, common string) {
		if v == nil {
			page.Entries, last = append(page.Entries, storage.ListEntry{Key: common, IsPrefix: true}), "p"+common
			return
		}
		page.Entries, last = append(page.Entries, entryOf(v)), "k"+v.Key
	})
	if err != nil {
		return nil, storageError(err)
	}
	if more {
		page.Token = last
	}
	return page, ctx.Err()
}

// ListVersions has the position of its last entry as its token.
func (d *bucketDriver) ListVersions(ctx context.Context, in *storage.ListRequest) (*storage.VersionPage, error) {
	after := state.VersionPosition{Key: in.StartAfter}
	if in.Token != "" {
		after.ID, after.Key, _ = strings.Cut(in.Token, " ") // an id has no space
	}
	page, last := &storage.VersionPage{}, state.VersionPosition{}
	var newer *state.Version // the entry before
	l := state.Listing{Prefix: in.Prefix, Delimiter: in.Delimiter, Max: in.Limit}
	more, err := d.handler.store.ListVersions(ctx, d.bucket, l, after, func(v *state.Version, latest bool, common string) {
		if v == nil {
			page.Entries, last = append(page.Entries, storage.VersionEntry{ListEntry: storage.ListEntry{Key: common, IsPrefix: true}}), state.VersionPosition{Key: common}
			return
		}
		entry := storage.VersionEntry{ListEntry: entryOf(v), Version: v.ID, Current: latest, IsDeleteMarker: v.Marker}
		if newer != nil && newer.Key == v.Key {
			entry.NoncurrentSince = newer.Modified
		}
		page.Entries, newer = append(page.Entries, entry), v
		last = state.VersionPosition{Key: v.Key, ID: v.ID}
	})
	if err != nil {
		return nil, storageError(err)
	}
	if more {
		page.Token = last.ID + " " + last.Key
	}
	return page, ctx.Err()
}

func entryOf(v *state.Version) storage.ListEntry {
	return storage.ListEntry{Key: v.Key, Size: v.Object.Size, ETag: v.Object.ETag, Revision: v.Object.ETag, Modified: v.Modified}
}

// attrsOf returns what package storage knows about a version.
func attrsOf(v *state.Version, shown string) *storage.Attrs {
	a := &storage.Attrs{
		Key: v.Key, Size: v.Object.Size, ETag: v.Object.ETag, Revision: v.Object.ETag, Version: shown, Modified: v.Modified,
		CRC32C: crc32cOf(v.Object.Sum), TagCount: len(v.Object.Properties.Tags), LegalHold: v.Object.Lock.Hold == "ON",
		Properties: storage.Properties{
			ContentType: v.Object.Properties.Header.Get("Content-Type"), ContentEncoding: v.Object.Properties.Header.Get("Content-Encoding"),
			ContentDisposition: v.Object.Properties.Header.Get("Content-Disposition"), ContentLanguage: v.Object.Properties.Header.Get("Content-Language"),
			CacheControl: v.Object.Properties.Header.Get("Cache-Control"),
		},
	}
	if v.Object.Properties.Class != state.Standard {
		a.StorageClass = v.Object.Properties.Class
	}
	for name, values := range v.Object.Properties.Header {
		if key, found := strings.CutPrefix(strings.ToLower(name), strings.ToLower(headers.MetadataPrefix)); found {
			if a.Metadata == nil {
				a.Metadata = map[string]string{}
			}
			a.Metadata[key] = strings.Join(values, ",")
		}
	}
	return a
}

// crc32cOf returns a checksum of the whole content, if it is a CRC32C.
func crc32cOf(sum checksum.Sum) storage.CRC32C {
	raw, err := base64.StdEncoding.DecodeString(sum.Value)
	if err != nil || len(raw) != 4 || sum.Kind != checksum.ByName("CRC32C") || sum.Covers == checksum.Composite {
		return storage.CRC32C{}
	}
	return storage.KnownCRC32C(binary.BigEndian.Uint32(raw))
}

// code returns S3's code of an error, or "".
func code(err error) string {
	var e *s3error.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

var storageCodes = map[string]storage.Code{
	"NoSuchKey": storage.ObjectNotFound, "NoSuchVersion": storage.ObjectNotFound, "MethodNotAllowed": storage.ObjectNotFound,
	"NoSuchBucket": storage.BucketNotFound, "PreconditionFailed": storage.PreconditionFailed, "EntityTooLarge": storage.TooLarge,
	"InvalidObjectState": storage.Archived, "AccessDenied": storage.PermissionDenied, "BadDigest": storage.ChecksumMismatch,
	"NotImplemented": storage.Unsupported, "SlowDown": storage.RateLimited, "ServiceUnavailable": storage.Unavailable,
	"ConditionalRequestConflict": storage.Unavailable, // the next attempt knows whether the condition holds
	"InternalError":              storage.Internal, "InsufficientStorage": storage.Internal,
}

// storageError returns an error of the store in the terms of package storage.
func storageError(err error) error {
	var e *s3error.Error
	if !errors.As(err, &e) {
		return err
	}
	known, found := storageCodes[e.Code]
	switch {
	case found:
	case e.Status >= http.StatusInternalServerError && e.Code != "NotImplemented":
		known = storage.Unavailable
	default:
		known = storage.InvalidArgument
	}
	return &storage.Error{Code: known, Status: e.Status, Err: e}
}
