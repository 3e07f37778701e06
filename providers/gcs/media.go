package gcs

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/httpheader"
)

// isMalformed reports whether an answer has a header that HTTP does not allow:
// an object that others wrote may have metadata with any key, and the XML API
// makes a header of it.
func isMalformedHeader(err error) bool {
	var malformed textproto.ProtocolError
	return errors.As(err, &malformed)
}

// replacedReads bounds how often a read begins anew because the generation whose
// attributes were read has been replaced before its bytes were.
const maxReplacedReads = 10

// getInTwo asks for the attributes, and then for the bytes of that generation.
func (d *driver) getInTwoRequests(ctx context.Context, r *storage.GetRequest, read func(context.Context, *storage.GetRequest, *storage.Attrs) (io.ReadCloser, error)) (attrs *storage.Attrs, body io.ReadCloser, err error) {
	for range maxReplacedReads {
		if attrs, err = d.Head(ctx, r); err != nil {
			return nil, nil, err
		}
		body, err = read(ctx, r, attrs)
		if err == nil {
			return attrs, body, nil
		}
		if translate(err).Code != storage.ObjectNotFound {
			return nil, nil, err
		}
	}
	return nil, nil, &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
}

// readMedia reads a generation's bytes by the JSON API, whose answer has no
// metadata; as they are where something on the way packs them.
func (d *driver) readMedia(ctx context.Context, r *storage.GetRequest, attrs *storage.Attrs) (io.ReadCloser, error) {
	for _, coding := range []string{"gzip", "identity"} {
		response, err := d.sendMedia(ctx, r, attrs.Revision, coding)
		if err != nil {
			return nil, d.readError(ctx, err, r)
		}
		if coding == "gzip" && isCompressedInTransit(response.Header) {
			_ = response.Body.Close()
			continue
		}
		if isCompressedInTransit(response.Header) || isDecompressedInTransit(response.Header) {
			_ = response.Body.Close()
			break
		}
		if _, err := sizeOf(response, r); err != nil {
			_ = response.Body.Close()
			return nil, err
		}
		return response.Body, nil
	}
	return nil, encodingChangedError()
}

func (d *driver) sendMedia(ctx context.Context, r *storage.GetRequest, generation, coding string) (*http.Response, error) {
	query := url.Values{"alt": {"media"}, "generation": {generation}}
	address := "/storage/v1/b/" + escape.Key(d.bucket) + "/o/" + strings.ReplaceAll(escape.Key(r.Key), "/", "%2F") + "?" + query.Encode()
	request, err := d.request(ctx, http.MethodGet, address, nil, 0)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", coding)
	if span := httpheader.Range(r, maxObject); span != "" {
		request.Header.Set("Range", span)
	}
	return d.send(request, http.StatusOK, http.StatusPartialContent)
}
