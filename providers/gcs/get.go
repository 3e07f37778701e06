package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

// Get is one request to the XML API, but under NotRevision, where one of the JSON
// API asks first. The JSON API serves the same bytes, and
// leaves out metadata, time and Cache-Control, which would have to be asked for
// apart. The SDK's reader is not used: it loses bytes where it resumes a read of
// what is stored with gzip, and the core resumes anyway.
func (d *driver) Get(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	if len(r.Native) > 0 {
		return nil, nil, storage.Unsupported
	}
	if d.http == nil {
		return d.getWithSDKReader(ctx, r)
	}
	if r.Condition.NotRevision != "" {
		// The XML API has no condition for "another generation than": it would begin
		// to send all that is not wanted.
		return d.getInTwoRequests(ctx, r, d.readMedia)
	}
	// What is asked for with gzip is delivered as it is stored. Where something
	// on the way packs it besides, it is asked for as it is.
	for _, coding := range []string{"gzip", "identity"} {
		response, err := d.sendGet(ctx, r, coding)
		if isMalformedHeader(err) {
			return d.getInTwoRequests(ctx, r, d.readMedia)
		}
		if err != nil {
			return nil, nil, d.readError(ctx, err, r)
		}
		if coding == "gzip" && isCompressedInTransit(response.Header) {
			_ = response.Body.Close()
			continue
		}
		attrs, err := attrsOfGet(response, r)
		if err != nil {
			_ = response.Body.Close()
			return nil, nil, err
		}
		if needsResource(attrs.Metadata) {
			return d.withMetadata(ctx, r, attrs, response.Body)
		}
		return attrs, response.Body, nil
	}
	return nil, nil, encodingChangedError()
}

// withMetadata has the metadata said by the generation's resource, where headers
// cannot be trusted to say it.
func (d *driver) withMetadata(ctx context.Context, r *storage.GetRequest, attrs *storage.Attrs, body io.ReadCloser) (*storage.Attrs, io.ReadCloser, error) {
	exact, err := d.Head(ctx, &storage.GetRequest{Key: r.Key, Version: attrs.Revision, Length: -1})
	if err == nil {
		attrs.Metadata = exact.Metadata
		return attrs, body, nil
	}
	_ = body.Close()
	if storage.CodeOf(err) == storage.ObjectNotFound { // it has been replaced
		return d.getInTwoRequests(ctx, r, d.readMedia)
	}
	return nil, nil, err
}

func (d *driver) sendGet(ctx context.Context, r *storage.GetRequest, coding string) (*http.Response, error) {
	address := d.objectPath(r.Key)
	if r.Version != "" {
		if _, err := parseGeneration("version", r.Version); err != nil {
			return nil, err
		}
		address += "?" + url.Values{"generation": {r.Version}}.Encode()
	}
	request, err := d.request(ctx, http.MethodGet, address, nil, 0)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", coding)
	if span := httpheader.Range(r, maxObject); span != "" {
		request.Header.Set("Range", span)
	}
	if r.Condition.Revision != "" {
		if _, err := parseGeneration("revision", r.Condition.Revision); err != nil {
			return nil, err
		}
		request.Header.Set("X-Goog-If-Generation-Match", r.Condition.Revision)
	}
	return d.send(request, http.StatusOK, http.StatusPartialContent)
}

func attrsOfGet(response *http.Response, r *storage.GetRequest) (*storage.Attrs, error) {
	h := response.Header
	a := attrsOfHeader(h)
	if isDecompressedInTransit(h) {
		return nil, encodingChangedError()
	}
	size, err := sizeOf(response, r)
	if err != nil {
		return nil, err
	}
	a.Key, a.Size = r.Key, size
	return a, nil
}

// sizeOf is the whole object's size, in bytes, of an answer that is the range
// that was asked for.
func sizeOf(response *http.Response, r *storage.GetRequest) (int64, error) {
	size := response.ContentLength
	if size < 0 {
		size = storedLength(response.Header)
	}
	if httpheader.Range(r, maxObject) == "" || size == 0 && response.StatusCode == http.StatusOK {
		if size < 0 {
			return 0, &storage.Error{Code: storage.Internal, Err: errors.New("the answer does not say how long it is")}
		}
		return size, nil
	}
	if response.StatusCode != http.StatusPartialContent {
		return 0, httpheader.NoRange()
	}
	start, size, err := httpheader.ContentRange(response.Header.Get("Content-Range"))
	if err == nil {
		err = httpheader.Answers(r, start)
	}
	if err != nil {
		return 0, err
	}
	return size, nil
}

func encodingChangedError() *storage.Error {
	return &storage.Error{Code: storage.Internal, Err: errors.New("the answer is not what is stored: its Content-Encoding was changed on the way"), Hint: "a proxy between here and the store packs or unpacks"}
}

// Head is one request for the object's resource, which has all attributes and
// every condition.
func (d *driver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	o, err := d.atGeneration(r.Key, r.Version)
	if err == nil {
		o, err = withCondition(o, r.Condition)
	}
	if err != nil {
		return nil, err
	}
	found, err := o.Attrs(ctx)
	if err != nil {
		return nil, d.readError(ctx, err, r)
	}
	attrs := attrsOf(found)
	if r.Condition.NotRevision != "" && attrs.Revision == r.Condition.NotRevision {
		return nil, storage.NotModified // of a server that does not heed the condition
	}
	return attrs, nil
}
