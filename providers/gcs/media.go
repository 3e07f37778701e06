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
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/urlpath"
)

// isMalformed reports whether an answer has a header that HTTP does not allow:
// an object that others wrote may have metadata with any key, and the XML API
// makes a header of it.
func isMalformed(err error) bool {
	var malformed textproto.ProtocolError
	return errors.As(err, &malformed)
}

// replacedReads bounds how often a read begins anew because the generation whose
// attributes were read has been replaced before its bytes were.
const replacedReads = 10

// getInTwo asks for the attributes, and then for the bytes of that generation.
func (d *driver) getInTwo(ctx context.Context, r *storage.GetRequest, read func(context.Context, *storage.GetRequest, *storage.Attrs) (io.ReadCloser, error)) (attrs *storage.Attrs, body io.ReadCloser, err error) {
	for range replacedReads {
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
		answer, err := d.sendMedia(ctx, r, attrs.Revision, coding)
		if err != nil {
			return nil, d.readFailed(ctx, err, r)
		}
		if coding == "gzip" && isPackedOnTheWay(answer.Header) {
			_ = answer.Body.Close()
			continue
		}
		if isPackedOnTheWay(answer.Header) || isUnpackedOnTheWay(answer.Header) {
			_ = answer.Body.Close()
			break
		}
		if _, err := sizeOf(answer, r); err != nil {
			_ = answer.Body.Close()
			return nil, err
		}
		return answer.Body, nil
	}
	return nil, notAsStored()
}

func (d *driver) sendMedia(ctx context.Context, r *storage.GetRequest, generation, coding string) (*http.Response, error) {
	query := url.Values{"alt": {"media"}, "generation": {generation}}
	address := "/storage/v1/b/" + urlpath.Escape(d.bucket) + "/o/" + strings.ReplaceAll(urlpath.Escape(r.Key), "/", "%2F") + "?" + query.Encode()
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
