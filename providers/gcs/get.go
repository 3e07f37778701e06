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
		return d.getThroughReader(ctx, r)
	}
	if r.Condition.NotRevision != "" {
		// The XML API has no condition for "another generation than": it would begin
		// to send all that is not wanted.
		return d.getInTwo(ctx, r, d.readMedia)
	}
	// What is asked for with gzip is delivered as it is stored. Where something
	// on the way packs it besides, it is asked for as it is.
	for _, coding := range []string{"gzip", "identity"} {
		answer, err := d.sendGet(ctx, r, coding)
		if isMalformed(err) {
			return d.getInTwo(ctx, r, d.readMedia)
		}
		if err != nil {
			return nil, nil, d.readFailed(ctx, err, r)
		}
		if coding == "gzip" && isPackedOnTheWay(answer.Header) {
			_ = answer.Body.Close()
			continue
		}
		attrs, err := attrsOfGet(answer, r)
		if err != nil {
			_ = answer.Body.Close()
			return nil, nil, err
		}
		if needsResource(attrs.Metadata) {
			return d.withMetadata(ctx, r, attrs, answer.Body)
		}
		return attrs, answer.Body, nil
	}
	return nil, nil, notAsStored()
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
		return d.getInTwo(ctx, r, d.readMedia)
	}
	return nil, nil, err
}

func (d *driver) sendGet(ctx context.Context, r *storage.GetRequest, coding string) (*http.Response, error) {
	address := d.objectAddress(r.Key)
	if r.Version != "" {
		if _, err := generation("version", r.Version); err != nil {
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
		if _, err := generation("revision", r.Condition.Revision); err != nil {
			return nil, err
		}
		request.Header.Set("X-Goog-If-Generation-Match", r.Condition.Revision)
	}
	return d.send(request, http.StatusOK, http.StatusPartialContent)
}

func attrsOfGet(answer *http.Response, r *storage.GetRequest) (*storage.Attrs, error) {
	h := answer.Header
	a := attrsOfHeader(h)
	if isUnpackedOnTheWay(h) {
		return nil, notAsStored()
	}
	size, err := sizeOf(answer, r)
	if err != nil {
		return nil, err
	}
	a.Key, a.Size = r.Key, size
	return a, nil
}

// sizeOf is the whole object's size, in bytes, of an answer that is the range
// that was asked for.
func sizeOf(answer *http.Response, r *storage.GetRequest) (int64, error) {
	size := answer.ContentLength
	if size < 0 {
		size = storedLength(answer.Header)
	}
	if httpheader.Range(r, maxObject) == "" || size == 0 && answer.StatusCode == http.StatusOK {
		if size < 0 {
			return 0, &storage.Error{Code: storage.Internal, Err: errors.New("the answer does not say how long it is")}
		}
		return size, nil
	}
	if answer.StatusCode != http.StatusPartialContent {
		return 0, httpheader.RangeIgnored()
	}
	start, size, err := httpheader.ParseContentRange(answer.Header.Get("Content-Range"))
	if err == nil {
		err = httpheader.CheckStart(r, start)
	}
	if err != nil {
		return 0, err
	}
	return size, nil
}

func notAsStored() *storage.Error {
	return &storage.Error{Code: storage.Internal, Err: errors.New("the answer is not what is stored: its Content-Encoding was changed on the way"), Hint: "a proxy between here and the store packs or unpacks"}
}

// Head is one request for the object's resource, which has all attributes and
// every condition.
func (d *driver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	o, err := d.at(r.Key, r.Version)
	if err == nil {
		o, err = when(o, r.Condition)
	}
	if err != nil {
		return nil, err
	}
	found, err := o.Attrs(ctx)
	if err != nil {
		return nil, d.readFailed(ctx, err, r)
	}
	attrs := attrsOf(found)
	if r.Condition.NotRevision != "" && attrs.Revision == r.Condition.NotRevision {
		return nil, storage.NotModified // of a server that does not heed the condition
	}
	return attrs, nil
}
