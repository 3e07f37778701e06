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

// inTwoRequests requests the attributes of an object, and then the bytes of the generation in these
// attributes.
func (rd *reader) inTwoRequests(
	ctx context.Context, r *driver.GetRequest,
) (attrs *storage.Attrs, body io.ReadCloser, err error) {
	// missing is the revision whose bytes the store did not have.
	missing := ""
	for range maxReplacedReads {
		if attrs, err = rd.objects.Head(ctx, r); err != nil {
			return nil, nil, err
		}
		if attrs.Revision == missing {
			// The responses contradict each other.
			break
		}
		missing = attrs.Revision
		body, err = rd.readMedia(ctx, r, attrs.Revision)
		if err == nil {
			return attrs, body, nil
		}
		if translate(err).Code != storage.ObjectNotFound {
			return nil, nil, err
		}
	}
	return nil, nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}

// readMedia returns the bytes of a generation from the JSON API. That response has no metadata.
func (rd *reader) readMedia(ctx context.Context, r *driver.GetRequest, generation string) (io.ReadCloser, error) {
	address := rd.bucket.resourcePath(r.Key, url.Values{"alt": {"media"}, "generation": {generation}})
	response, err := storedBytes(func(coding string) (*http.Response, error) {
		request, err := rd.request(ctx, r, address, coding)
		if err != nil {
			return nil, err
		}
		return rd.bucket.account.send(request, http.StatusOK, http.StatusPartialContent)
	})
	if err != nil {
		return nil, rd.bucket.readError(ctx, err, r)
	}
	if _, err := sizeOf(response, r); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response.Body, nil
}
