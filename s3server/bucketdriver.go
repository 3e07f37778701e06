package s3server

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/operations"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/storageerror"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// Bucket returns a bucket of the server. A test can use it to write objects before the test and to
// examine them afterwards. Its operations use no HTTP and need no credentials or permissions.
// Faults do not apply to them, and [Handler.Requests] does not list them. The ETags are those that
// clients see. If the bucket does not exist, its operations fail with [storage.BucketNotFound].
func (h *Handler) Bucket(name string, opts ...storage.OpenOption) storage.Bucket {
	return engine.New(&bucketDriver{server: h.server, bucket: name}, opts...)
}

// Buckets yields the buckets of the server in the order of their names. Each has its Name, Created
// and Versioning. [Handler.Bucket] opens a bucket.
func (h *Handler) Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error] {
	return func(yield func(storage.BucketInfo, error) bool) {
		for b, err := range h.server.Store.ListBuckets(ctx, "") {
			if err != nil {
				yield(storage.BucketInfo{}, storageerror.FromS3(err))
				return
			}
			info := storage.BucketInfo{
				Name:       b.Name,
				Created:    b.Created,
				Provider:   "s3server",
				Versioning: b.Versioning == state.Enabled,
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// A bucketDriver implements [driver.Driver] for one bucket of the server, without HTTP.
type bucketDriver struct {
	driver.UnimplementedDriver
	server *request.Server
	bucket string
}

var _ driver.Driver = (*bucketDriver)(nil)

// Describe returns the features of the bucket, for which it looks up whether the bucket keeps versions.
func (d *bucketDriver) Describe() driver.Description {
	description := driver.Description{
		Provider: "s3server",
		Bucket:   d.bucket,
		Features: driver.StreamingPut |
			storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove |
			storage.Metadata | storage.ContentProperties | storage.StoredChecksums |
			storage.KeysBesideFolders | storage.LongSegments | storage.LeadingSlashes |
			storage.StorageClasses | storage.ObjectTags | storage.Versioning | storage.OrderedListing,
		Location:       d.server.ID,
		Local:          true,
		ASCIIMetadata:  true,
		EnableVersions: d.enableVersions,
		MaxPage:        d.server.Limits.MaxPage,
		MaxPutSize:     d.server.Limits.MaxPutSize,
		MaxSize:        d.server.Limits.MaxPutSize,
	}
	// If the lookup fails, so does the first operation, which reports the error.
	if b, err := d.server.Store.Bucket(context.Background(), d.bucket); err == nil {
		description.Versioned = b.Versioning != ""
	}
	return description
}

// enableVersions makes the bucket keep versions.
func (d *bucketDriver) enableVersions() {
	// If the bucket is missing, the first operation reports that.
	_ = d.server.Store.ChangeBucket(context.Background(), d.bucket, func(b *state.Bucket) error {
		b.Versioning = state.Enabled
		return nil
	})
}

// request returns a request for a key that no client has sent. The functions that this driver shares with PutObject and
// GetObject need one.
func (d *bucketDriver) request(ctx context.Context, key string) *request.Request {
	r := &http.Request{
		Method: http.MethodPut,
		URL:    &url.URL{Path: "/" + d.bucket + "/" + key},
		Header: http.Header{},
	}
	return &request.Request{
		HTTP:   r.WithContext(ctx),
		Server: d.server,
		Target: request.Target{Bucket: d.bucket, Key: key},
		Fault:  &faults.Effects{},
	}
}

// Put writes an object, whose properties it checks as PutObject does.
func (d *bucketDriver) Put(ctx context.Context, req *driver.PutRequest) (*storage.Attrs, error) {
	if err := request.CheckKey(req.Key); err != nil {
		return nil, storageerror.FromS3(err)
	}

	// The bucket's owner owns the object. If the bucket is missing, NewObject fails.
	r := d.request(ctx, req.Key)
	if b, err := d.server.Store.Bucket(ctx, d.bucket); err == nil {
		r.Caller.Account = b.Account
	}
	object, err := operations.NewObject(r, headersOf(req))
	if err != nil {
		return nil, storageerror.FromS3(err)
	}

	body := d.putBody(req)
	v, versionID, err := d.server.Store.Put(ctx, &state.Write{
		Bucket:    d.bucket,
		Key:       req.Key,
		Object:    *object,
		Condition: state.WriteCondition{Absent: req.Condition.Absent, Match: req.Condition.Revision},
	}, body)
	if err != nil {
		// If the body has failed, its error is the cause.
		cause := body.Cause(err)
		if s3error.Is(cause, "NoSuchKey") {
			// The condition requires a revision of a missing object.
			return nil, storage.PreconditionFailed
		}
		return nil, storageerror.FromS3(cause)
	}
	return attrsOf(v, versionID), nil
}

// putBody returns the body of a request, which fails at its end if it is too large or does not have the checksum in the
// request.
func (d *bucketDriver) putBody(req *driver.PutRequest) *state.Body {
	maxSize := d.server.Limits.MaxPutSize
	const needsSHA256 = false
	digest := checksum.NewDigest(checksum.ByName("CRC32C"), needsSHA256)

	// The reader lets one byte more than the maximum through, which shows that a body is too large.
	limited := &io.LimitedReader{R: req.Body, N: maxSize + 1}
	return &state.Body{
		From:   io.TeeReader(limited, digest),
		Size:   req.Size,
		Digest: digest,
		Check: func() error {
			isTooLarge := limited.N <= 0
			if isTooLarge {
				return request.TooLarge(digest.Size, maxSize)
			}
			if req.CRC32C.Known && req.CRC32C.Sum != crc32cOf(digest.Sum()).Sum {
				return storage.ChecksumMismatch
			}
			return nil
		},
	}
}

// checkVersion fails if id is neither "" nor in a form that the server's version ids have.
func (d *bucketDriver) checkVersion(id string) error {
	if id != "" && !d.server.Store.ValidID(id) {
		return storage.InvalidArgument
	}
	return nil
}

// find returns the version that a read names, and its id as clients see it. The caller must release the version.
func (d *bucketDriver) find(ctx context.Context, req *driver.GetRequest) (v *state.Version, versionID string, err error) {
	if err := d.checkVersion(req.Version); err != nil {
		return nil, "", err
	}

	name := state.VersionName{Bucket: d.bucket, Key: req.Key, ID: req.Version}
	v, versionID, err = d.request(ctx, req.Key).Find(name)
	if err != nil {
		// Find may return a version together with an error.
		d.server.Store.Release(v)
		return nil, "", storageerror.FromS3(err)
	}
	err = checkRevision(req, v.Object.ETag)
	if err != nil {
		d.server.Store.Release(v)
		return nil, "", storageerror.FromS3(err)
	}
	return v, versionID, nil
}

// checkRevision fails if the condition of a read does not hold. etag is the entity tag of the object, which is also its
// revision.
func checkRevision(req *driver.GetRequest, etag string) error {
	if req.Condition.Revision != "" && req.Condition.Revision != etag {
		return storage.PreconditionFailed
	}
	if req.Condition.NotRevision != "" && req.Condition.NotRevision == etag {
		return storage.NotModified
	}
	return nil
}

// Get reads an object. Unlike clients, it needs no customer-provided key for an object that was encrypted with one.
func (d *bucketDriver) Get(ctx context.Context, req *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	v, versionID, err := d.find(ctx, req)
	if err != nil {
		return nil, nil, err
	}
	offset, length, err := d.prepare(ctx, v, req)
	if err != nil {
		d.server.Store.Release(v)
		return nil, nil, err
	}
	return attrsOf(v, versionID), d.open(ctx, v, offset, length), nil
}

// prepare opens the range of a version that a request reads, and returns its offset and length in bytes. It fails with
// Archived if the version must be restored first.
func (d *bucketDriver) prepare(
	ctx context.Context, v *state.Version, req *driver.GetRequest,
) (offset, length int64, err error) {
	start, end, err := req.Span(v.Object.Size)
	if err != nil {
		return 0, 0, err
	}
	if d.server.IsArchived(v) {
		return 0, 0, storage.Archived
	}
	if err := d.server.Store.Prepare(ctx, v, start, end-start); err != nil {
		return 0, 0, storageerror.FromS3(err)
	}
	return start, end - start, nil
}

// A storedBody is the content of an object, which a goroutine reads from the store. Close ends the
// goroutine.
type storedBody struct {
	*io.PipeReader
	done chan struct{}
}

// open returns a reader of a range of v. A goroutine writes the range into a pipe, and then releases v.
func (d *bucketDriver) open(ctx context.Context, v *state.Version, offset, length int64) io.ReadCloser {
	reader, writer := io.Pipe()
	body := &storedBody{PipeReader: reader, done: make(chan struct{})}
	go func() {
		defer close(body.done)
		defer d.server.Store.Release(v)
		err := d.server.Store.Read(ctx, v, offset, length, writer)
		writer.CloseWithError(err)
	}()
	return body
}

// Close makes a waiting Read return, and waits until the goroutine has ended.
func (b *storedBody) Close() error {
	_ = b.PipeReader.Close() // Close of a pipe never fails
	<-b.done
	return nil
}

// Head returns the attributes of an object.
func (d *bucketDriver) Head(ctx context.Context, req *driver.GetRequest) (*storage.Attrs, error) {
	v, versionID, err := d.find(ctx, req)
	if err != nil {
		return nil, err
	}
	defer d.server.Store.Release(v)
	return attrsOf(v, versionID), nil
}

// Delete removes a version, or the current object if req names no version. For the latter, a bucket with versioning
// keeps a delete marker. A missing object is no error.
func (d *bucketDriver) Delete(ctx context.Context, req *driver.DeleteRequest) error {
	if err := d.checkVersion(req.Version); err != nil {
		return err
	}
	_, err := d.server.Store.Remove(ctx, &state.RemoveRequest{
		VersionName: state.VersionName{Bucket: d.bucket, Key: req.Key, ID: req.Version},
		Condition:   state.WriteCondition{Match: req.Condition.Revision},
		Bypass:      req.BypassGovernance,
	})
	if s3error.Is(err, "NoSuchKey") || s3error.Is(err, "NoSuchVersion") {
		return nil
	}
	if s3error.Is(err, "AccessDenied") {
		return storage.Locked
	}
	return storageerror.FromS3(err)
}

// Tags returns the tags of an object.
func (d *bucketDriver) Tags(ctx context.Context, req *driver.GetRequest) (map[string]string, error) {
	v, _, err := d.find(ctx, req)
	if err != nil {
		return nil, err
	}
	defer d.server.Store.Release(v)
	return tagging.Map(v.Object.Properties.Tags), nil
}

// SetTags replaces the tags of an object.
func (d *bucketDriver) SetTags(ctx context.Context, req *driver.ChangeRequest) error {
	var tags []tagging.Tag
	for key, value := range req.Tags {
		tags = append(tags, tagging.Tag{Key: key, Value: value})
	}
	if err := tagging.Check(tags); err != nil {
		return storageerror.FromS3(err)
	}
	if err := d.checkVersion(req.Version); err != nil {
		return err
	}
	_, _, err := d.server.Store.Change(
		ctx, state.VersionName{Bucket: d.bucket, Key: req.Key, ID: req.Version},
		func(_ *state.Bucket, v *state.Version) error {
			v.Object.Properties.Tags = tags
			return nil
		},
	)
	return storageerror.FromS3(err)
}

// These letters begin the token of a page, and say whether a prefix or a key follows.
const (
	prefixToken = "p"
	keyToken    = "k"
)

// List returns one page of entries. Its token is one letter, which tells an object from a common prefix, and the key of
// the page's last entry.
func (d *bucketDriver) List(ctx context.Context, req *driver.ListRequest) (*storage.Page, error) {
	start := state.Position{Key: req.StartAfter}
	if req.Token != "" {
		// The letters for an object and for a prefix have the same length.
		start.Prefix = strings.HasPrefix(req.Token, prefixToken)
		start.Key = req.Token[len(prefixToken):]
	}

	// The listing calls add with each object, or with the common prefix of several keys.
	page := &storage.Page{Entries: req.Entries[:0]}
	add := func(v *state.Version, commonPrefix string) {
		if v == nil {
			page.Entries = append(page.Entries, storage.ListEntry{Key: commonPrefix, IsPrefix: true})
			return
		}
		page.Entries = append(page.Entries, entryOf(v))
	}
	listing := state.Listing{Prefix: req.Prefix, Delimiter: req.Delimiter, Max: req.Limit}
	hasMore, err := d.server.Store.List(ctx, d.bucket, listing, start, add)
	if err != nil {
		return nil, storageerror.FromS3(err)
	}
	if hasMore && len(page.Entries) > 0 {
		last := page.Entries[len(page.Entries)-1]
		page.Token = keyToken + last.Key
		if last.IsPrefix {
			page.Token = prefixToken + last.Key
		}
	}
	return page, ctx.Err()
}

// ListVersions returns one page of versions, those of a key from the newest to the oldest. Its token is the id and the
// key of the page's last entry.
func (d *bucketDriver) ListVersions(ctx context.Context, req *driver.ListRequest) (*driver.VersionPage, error) {
	start := state.VersionPosition{Key: req.StartAfter}
	if req.Token != "" {
		start.ID, start.Key, _ = strings.Cut(req.Token, " ") // a key may have spaces, but a version id has none
	}

	// The listing calls add with each version, or with the common prefix of several keys.
	page := &driver.VersionPage{}
	var last storage.VersionEntry
	add := func(v *state.Version, isLatest bool, commonPrefix string) {
		entry := storage.VersionEntry{ListEntry: storage.ListEntry{Key: commonPrefix, IsPrefix: true}}
		if v != nil {
			entry = versionEntryOf(v, isLatest)
			// The version became noncurrent when the next newer version of its key was written.
			if last.Key == v.Key && !last.IsPrefix {
				entry.NoncurrentSince = last.Modified
			}
		}
		page.Entries = append(page.Entries, entry)
		last = entry
	}
	listing := state.Listing{Prefix: req.Prefix, Delimiter: req.Delimiter, Max: req.Limit}
	hasMore, err := d.server.Store.ListVersions(ctx, d.bucket, listing, start, add)
	if err != nil {
		return nil, storageerror.FromS3(err)
	}
	if hasMore {
		page.Token = last.Version + " " + last.Key
	}
	return page, ctx.Err()
}

// versionEntryOf returns the entry of a version in a listing of versions, without NoncurrentSince.
func versionEntryOf(v *state.Version, isLatest bool) storage.VersionEntry {
	return storage.VersionEntry{
		ListEntry:      entryOf(v),
		Version:        v.ID,
		Current:        isLatest,
		IsDeleteMarker: v.Marker,
	}
}

// entryOf returns the entry of a version in a listing. The entity tag is also the revision.
func entryOf(v *state.Version) storage.ListEntry {
	return storage.ListEntry{
		Key:          v.Key,
		Size:         v.Object.Size,
		ETag:         v.Object.ETag,
		Revision:     v.Object.ETag,
		Modified:     v.Modified,
		StorageClass: shownClass(v),
	}
}
