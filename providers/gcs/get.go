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
	ctx = withCallOptions(ctx, newCallOptions(r.Native))
	// The XML API has no native attributes. It also has no condition for NotRevision, and would
	// send the bytes of an object that has not changed.
	needsJSON := r.NativeAttrs || r.Condition.NotRevision != ""
	if needsJSON || d.reader.cached.Load() {
		return d.reader.readInTwoRequests(ctx, r)
	}

	resp, err := storedBytes(func(encoding string) (*http.Response, error) { return d.reader.send(ctx, r, encoding) })
	if isMalformedHeader(err) {
		// Metadata of the object is not a valid header. The JSON API sends no metadata in headers.
		return d.reader.readInTwoRequests(ctx, r)
	}
	if mayBeCached(err) {
		return d.reader.openUncached(ctx, r)
	}
	if err != nil {
		return nil, nil, d.bucket.readError(ctx, err, r)
	}

	attrs, err := attrsOfGet(resp, r)
	if err != nil {
		_ = resp.Body.Close() // its error does not matter beside err
		return nil, nil, err
	}
	if needsResource(attrs.Metadata) {
		// The XML API may have changed the metadata. Close the body first, because the next
		// requests may need its connection.
		_ = resp.Body.Close()
		return d.reader.readInTwoRequests(ctx, r)
	}
	return attrs, resp.Body, nil
}

// storedBytes requests the bytes of an object as they are stored, by send, which it calls with the
// Accept-Encoding for the request. The first request accepts gzip, so that Google does not
// decompress; if a proxy has compressed the response, a second request accepts no encoding.
func storedBytes(send func(encoding string) (*http.Response, error)) (*http.Response, error) {
	resp, err := send("gzip")
	if err != nil {
		return nil, err
	}
	if isCompressedInTransit(resp.Header) {
		_ = resp.Body.Close() // the next response replaces this one
		resp, err = send("identity")
		if err != nil {
			return nil, err
		}
	}

	if isCompressedInTransit(resp.Header) || isDecompressedInTransit(resp.Header) {
		_ = resp.Body.Close() // nothing was read
		return nil, &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the response has another Content-Encoding than the stored object"),
			Hint: "turn compression off in the proxy between this machine and the store",
		}
	}
	return resp, nil
}

// openUncached reads the object by two requests, and makes all later reads of the bucket use two
// requests, too. A single request may get a response from a cache, with an object that was
// overwritten or removed. With two requests, the first one gets the current generation. The second
// one requests the bytes of that generation, which never change.
func (rd *reader) openUncached(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	rd.cached.Store(true)
	return rd.readInTwoRequests(ctx, r)
}

// errCacheable is the error for a response that may come from Google's cache.
var errCacheable = errors.New("a cache may have sent the response")

// mayBeCached reports whether err is about a response that may come from Google's cache, as an error
// response, such as a 416, may, too.
func mayBeCached(err error) bool {
	if errors.Is(err, errCacheable) {
		return true
	}
	apiErr := responseOf(err)
	return apiErr != nil && isCacheable(apiErr.Header)
}

// send makes one request to the XML API, and returns errCacheable if the response may come from a
// cache.
func (rd *reader) send(ctx context.Context, r *driver.GetRequest, encoding string) (*http.Response, error) {
	path := rd.bucket.objectPath(r.Key)
	if r.Version != "" {
		if _, err := parseGeneration("version", r.Version); err != nil {
			return nil, err
		}
		path += "?" + url.Values{"generation": {r.Version}}.Encode()
	}

	req, err := rd.request(ctx, r, path, encoding)
	if err != nil {
		return nil, err
	}
	if r.Condition.Revision != "" {
		if _, err := parseGeneration("revision", r.Condition.Revision); err != nil {
			return nil, err
		}
		req.Header.Set("X-Goog-If-Generation-Match", r.Condition.Revision)
	}

	resp, err := rd.bucket.account.send(req, http.StatusOK, http.StatusPartialContent)
	if err != nil {
		return nil, err
	}
	if isCacheable(resp.Header) {
		// Close the body first, because the next requests may need its connection.
		_ = resp.Body.Close()
		return nil, errCacheable
	}
	return resp, nil
}

// request returns a request for the bytes of an object, with the range and the customer's key in r. path
// is that of the XML API or the JSON API. encoding is the value of Accept-Encoding.
func (rd *reader) request(ctx context.Context, r *driver.GetRequest, path, encoding string) (*http.Request, error) {
	req, err := rd.bucket.account.request(ctx, http.MethodGet, path, nil, 0)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", encoding)
	newCallOptions(r.Native).key.SetHeaders(req.Header, "X-Goog-")
	if byteRange := httpheader.Range(r, maxObject); byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	return req, nil
}

// attrsOfGet returns the attributes in a response of the XML API, and fails if the response is not
// Google's, or is not the requested range.
func attrsOfGet(resp *http.Response, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs := attrsOfHeader(resp.Header)
	if attrs.Revision == "" {
		return nil, noEvidence(resp.StatusCode, "it has no "+generationHeader)
	}
	size, err := sizeOf(resp, r)
	if err != nil {
		return nil, err
	}
	attrs.Key = r.Key
	attrs.Size = size
	return attrs, nil
}

// sizeOf returns the size of the whole object in bytes. It returns an error if
// the response is not the requested range.
func sizeOf(resp *http.Response, r *driver.GetRequest) (int64, error) {
	wantsRange := httpheader.Range(r, maxObject) != ""
	if wantsRange && resp.StatusCode == http.StatusPartialContent {
		return httpheader.SizeOf(r, resp.Header.Get("Content-Range"))
	}

	// The response has the whole object, or the server has ignored the range.
	size := resp.ContentLength
	if size < 0 {
		// The length of the body is not known, but a header may have that of the object.
		size = storedLength(resp.Header)
	}
	if !wantsRange {
		if size < 0 {
			return 0, httpheader.LengthMissing()
		}
		return size, nil
	}

	// A response with the whole object is right only if the range is all of the object.
	if size == 0 && resp.StatusCode == http.StatusOK {
		return 0, nil // an empty object has no ranges
	}
	if size >= 0 && httpheader.IsWhole(r, size) {
		return size, nil
	}
	return 0, httpheader.RangeIgnored()
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

// find requests the attributes of an object, or of the version that r names.
func (b *bucket) find(ctx context.Context, r *driver.GetRequest) (*gcs.ObjectAttrs, error) {
	object, err := b.objectVersion(r.Key, r.Version)
	if err != nil {
		return nil, err
	}
	object, err = withCondition(object, r.Condition)
	if err != nil {
		return nil, err
	}

	opts := newCallOptions(r.Native)
	attrs, err := opts.addKey(object).Attrs(withCallOptions(ctx, opts))
	if err != nil {
		return nil, b.readError(ctx, err, r)
	}
	if attrs.Name != "" && attrs.Name != r.Key {
		return nil, noEvidence(http.StatusOK, "it has another object")
	}
	return attrs, nil
}
