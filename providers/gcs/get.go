package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// A reader reads the objects of a bucket, each with one or two requests.
type reader struct {
	objects driver.Driver
	bucket  *bucket
	cached  atomic.Bool // true once a response may have come from a cache
}

// Get usually makes one request to the XML API. The response has the bytes and most attributes.
// The JSON API always needs two requests: one for the attributes, and one for the bytes of the same
// generation. Its responses with bytes lack the metadata, the time and the Cache-Control.
//
// Get uses the JSON API for NotRevision and for NativeAttrs, if responses of the bucket may come
// from a cache, and if the response of the XML API cannot be used.
//
// Get does not use the SDK's reader, which loses bytes when it resumes a read of an object stored
// with gzip. The engine resumes reads anyway.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	ctx = withCall(ctx, callOf(r.Native))
	// The XML API has no native attributes. It also has no condition for NotRevision, and would
	// send the bytes of an object that has not changed.
	if r.NativeAttrs || r.Condition.NotRevision != "" || d.reader.cached.Load() {
		return d.reader.inTwoRequests(ctx, r)
	}

	response, err := storedBytes(func(coding string) (*http.Response, error) { return d.reader.send(ctx, r, coding) })
	if isMalformedHeader(err) {
		return d.reader.inTwoRequests(ctx, r)
	}
	if refusal := responseOf(err); errors.Is(err, errCacheable) ||
		refusal != nil && isCacheable(refusal.Header) {
		// An error, such as a 416, may be from a cache, too.
		return d.reader.openUncached(ctx, r)
	}
	if err != nil {
		return nil, nil, d.bucket.readError(ctx, err, r)
	}

	attrs, err := attrsOfGet(response, r)
	if err != nil {
		_ = response.Body.Close()
		return nil, nil, err
	}

	if needsResource(attrs.Metadata) {
		// The XML API may have changed the metadata. Close the body first, because the next
		// requests may need its connection.
		_ = response.Body.Close()
		return d.reader.inTwoRequests(ctx, r)
	}
	return attrs, response.Body, nil
}

// storedBytes requests the bytes of an object as they are stored. It calls send with the
// Accept-Encoding for the request. The first request accepts gzip, so that Google does not
// decompress. If a proxy has compressed the response, the second request accepts no encoding.
func storedBytes(send func(coding string) (*http.Response, error)) (*http.Response, error) {
	response, err := send("gzip")
	if err == nil && isCompressedInTransit(response.Header) {
		_ = response.Body.Close()
		response, err = send("identity")
	}
	if err == nil && (isCompressedInTransit(response.Header) || isDecompressedInTransit(response.Header)) {
		_ = response.Body.Close()
		return nil, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the response has another Content-Encoding than the stored object"),
			Hint: "turn compression off in the proxy between this machine and the store",
		}
	}
	return response, err
}

// openUncached reads the object by two requests, and makes all later reads of the bucket use two
// requests, too. A single request may get a response from a cache, with an object that was
// overwritten or removed. With two requests, the first one gets the current generation. The second
// one requests the bytes of that generation, which never change.
func (rd *reader) openUncached(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	rd.cached.Store(true)
	return rd.inTwoRequests(ctx, r)
}

// errCacheable is the error for a response that may come from Google's cache.
var errCacheable = errors.New("a cache may have sent the response")

func (rd *reader) send(ctx context.Context, r *driver.GetRequest, coding string) (*http.Response, error) {
	address := rd.bucket.objectPath(r.Key)
	if r.Version != "" {
		if _, err := parseGeneration("version", r.Version); err != nil {
			return nil, err
		}
		address += "?" + url.Values{"generation": {r.Version}}.Encode()
	}
	request, err := rd.request(ctx, r, address, coding)
	if err != nil {
		return nil, err
	}
	if r.Condition.Revision != "" {
		if _, err := parseGeneration("revision", r.Condition.Revision); err != nil {
			return nil, err
		}
		request.Header.Set("X-Goog-If-Generation-Match", r.Condition.Revision)
	}
	response, err := rd.bucket.account.send(request, http.StatusOK, http.StatusPartialContent)
	if err == nil && isCacheable(response.Header) {
		// Close the body first, because the next requests may need its connection.
		_ = response.Body.Close()
		return nil, errCacheable
	}
	return response, err
}

func (rd *reader) request(ctx context.Context, r *driver.GetRequest, address, coding string) (*http.Request, error) {
	request, err := rd.bucket.account.request(ctx, http.MethodGet, address, nil, 0)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", coding)
	callOf(r.Native).key.SetHeaders(request.Header, "X-Goog-")
	if span := httpheader.Range(r, maxObject); span != "" {
		request.Header.Set("Range", span)
	}
	return request, nil
}

func attrsOfGet(response *http.Response, r *driver.GetRequest) (*storage.Attrs, error) {
	h := response.Header
	a := attrsOfHeader(h)
	if a.Revision == "" {
		return nil, noEvidence(response.StatusCode, "it has no "+generationHeader)
	}
	size, err := sizeOf(response, r)
	if err != nil {
		return nil, err
	}
	a.Key = r.Key
	a.Size = size
	return a, nil
}

// sizeOf returns the size of the whole object in bytes. It returns an error if
// the response is not the requested range.
func sizeOf(response *http.Response, r *driver.GetRequest) (int64, error) {
	size := response.ContentLength
	if size < 0 {
		size = storedLength(response.Header)
	}
	if httpheader.Range(r, maxObject) == "" || size == 0 && response.StatusCode == http.StatusOK {
		if size < 0 {
			return 0, httpheader.LengthMissing()
		}
		return size, nil
	}
	if response.StatusCode != http.StatusPartialContent {
		if size >= 0 && httpheader.IsWhole(r, size) {
			return size, nil
		}
		return 0, httpheader.RangeIgnored()
	}
	return httpheader.SizeOf(r, response.Header.Get("Content-Range"))
}

// Head makes one request to the JSON API, which returns all attributes and supports every
// condition.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	object, err := d.bucket.find(ctx, r)
	if err != nil {
		return nil, err
	}
	attrs := attrsOf(object)
	if r.NativeAttrs {
		attrs.Native = object
	}
	if r.Condition.NotRevision != "" && attrs.Revision == r.Condition.NotRevision {
		// The server may ignore the condition.
		return nil, storage.NotModified
	}
	return attrs, nil
}

func (b *bucket) find(ctx context.Context, r *driver.GetRequest) (*gcs.ObjectAttrs, error) {
	o, err := b.objectVersion(r.Key, r.Version)
	if err == nil {
		o, err = withCondition(o, r.Condition)
	}
	if err != nil {
		return nil, err
	}
	c := callOf(r.Native)
	attrs, err := c.addKey(o).Attrs(withCall(ctx, c))
	if err != nil {
		return nil, b.readError(ctx, err, r)
	}
	if attrs.Name != "" && attrs.Name != r.Key {
		return nil, noEvidence(http.StatusOK, "it has another object")
	}
	return attrs, nil
}
