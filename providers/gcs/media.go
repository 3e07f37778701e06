package gcs

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// isMalformedHeader reports whether a response has a header that HTTP does not permit. The XML API
// returns each key of metadata as a header, and other tools may store any key. The JSON API can
// read such an object.
func isMalformedHeader(err error) bool { return sdkerror.IsType[textproto.ProtocolError](err) }

// maxReplacedReads limits how often a read starts over because the object was overwritten between
// the two requests.
const maxReplacedReads = 10

// readInTwoRequests requests the attributes of an object, and then the bytes of the generation in these
// attributes. It starts over if the object is replaced between the two requests.
func (rd *reader) readInTwoRequests(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	missingRevision := "" // the last revision whose bytes were missing
	var missingErr error
	for range maxReplacedReads {
		attrs, err := rd.objects.Head(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		if attrs.Revision == missingRevision {
			// The object was not replaced, and still its bytes are missing. Another attempt would not help.
			break
		}

		body, err := rd.readMedia(ctx, r, attrs.Revision)
		if err == nil {
			return attrs, body, nil
		}
		if translate(err).Code != storage.ObjectNotFound {
			return nil, nil, err
		}
		// The object was probably replaced between the two requests. Read the new one.
		missingRevision = attrs.Revision
		missingErr = err
	}
	return nil, nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: missingErr}
}

// readMedia returns the bytes of a generation from the JSON API, whose response has no metadata.
func (rd *reader) readMedia(ctx context.Context, r *driver.GetRequest, generation string) (io.ReadCloser, error) {
	path := rd.bucket.resourcePath(r.Key, url.Values{"alt": {"media"}, "generation": {generation}})
	resp, err := storedBytes(func(encoding string) (*http.Response, error) {
		req, err := rd.request(ctx, r, path, encoding)
		if err != nil {
			return nil, err
		}
		return rd.bucket.account.send(req, http.StatusOK, http.StatusPartialContent)
	})
	if err != nil {
		return nil, rd.bucket.readError(ctx, err, r)
	}
	// Only check the range. The attributes have the size.
	if _, err := sizeOf(resp, r); err != nil {
		_ = resp.Body.Close() // its error does not matter beside err
		return nil, err
	}
	return resp.Body, nil
}
