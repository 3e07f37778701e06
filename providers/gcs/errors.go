package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// translator adapts the SDK for Google Cloud Storage and this package's own requests. The
// service promises nothing about a request to which it responds with a server error.
var translator = &sdkerror.Translator{
	FromResponse:    fromResponse,
	WithoutResponse: withoutResponse,
	MaybeSent:       isClientError,
	MaybeApplied:    func(status int) bool { return status >= 500 || sdkerror.MaybeApplied(status) },
}

var (
	translate = translator.Translate
	writes    = translator.Write
)

// write makes a request that changes something, and returns the result in its response. It translates
// the error.
func write[T any](ctx context.Context, do func(context.Context) (T, error)) (out T, err error) {
	err = writes(ctx, func(ctx context.Context) (err error) {
		out, err = do(ctx)
		return err
	})
	return out, err
}

// isClientError reports whether err comes from the HTTP client of this package or of the SDK,
// and means that there was no response.
func isClientError(err error) bool {
	return sdkerror.IsType[*requestError](err) || sdkerror.IsType[*url.Error](err)
}

func fromResponse(err error) *storage.Error {
	response := responseOf(err)
	if response == nil {
		return nil
	}
	if response.Message == "" &&
		len(response.Errors) == 0 { // its text would be the body, in which a proxy may quote the request
		response.Message = http.StatusText(response.Code)
		err = &pageError{response.Error(), err}
	}
	m := meaningOf(response)
	if redirect, is := sdkerror.Redirect(response.Code, response.Header); is {
		m = redirect
	}
	e := m.NewError(response.Code, response.Header, err)
	e.RequestID = response.Header.Get(requestIDHeader)
	e.Unknown = isForeign(response)
	return e
}

// A pageError is an error of the SDK that has a page in place of a message. Its own text leaves
// the page out.
type pageError struct {
	text string
	err  error
}

func (e *pageError) Error() string { return e.text }
func (e *pageError) Unwrap() error { return e.err }

func isForeign(response *googleapi.Error) bool {
	_, hasID := response.Header[requestIDHeader]
	return sdkerror.IsForeign(response.Code, hasOwnCode(response), hasID)
}

// hasOwnCode reports whether the body was an error of the service. Gateways send JSON and pages of
// their own, which also have an "error".
func hasOwnCode(response *googleapi.Error) bool {
	if len(response.Errors) > 0 {
		return true
	}
	var document struct{ Error struct{ Code int } }
	return json.Unmarshal([]byte(response.Body), &document) == nil && document.Error.Code != 0
}

const requestIDHeader = "X-Guploader-Uploadid"

// responseOf returns the response that err contains, or nil.
func responseOf(err error) *googleapi.Error {
	response, _ := errors.AsType[*googleapi.Error](err)
	return response
}

func withoutResponse(err error) *storage.Error {
	switch {
	case errors.Is(err, gcs.ErrBucketNotExist):
		return &storage.Error{Code: storage.BucketNotFound, Err: err}
	case errors.Is(err, gcs.ErrObjectNotExist):
		return &storage.Error{Code: storage.ObjectNotFound, Err: err}
	}
	return sdkerror.WithoutResponse(err, isClientError(err) || errors.Is(err, errCutOff))
}

func (b *bucket) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	if missing := b.missing(ctx, translate(err), r.Key, r.Version, r.Condition); missing != nil {
		return b.notFound(ctx, missing)
	}
	return translate(err)
}

// missing is [sdkerror.Translator.Missing].
func (b *bucket) missing(
	ctx context.Context, e *storage.Error, key, version string, c storage.Condition,
) *storage.Error {
	return translator.Missing(e, c, func() error {
		o, err := b.atGeneration(key, version)
		if err == nil {
			_, err = o.Attrs(ctx)
		}
		return err
	})
}

// passing returns err, of a request that changes no object, if the request may succeed later. Otherwise
// it returns nil. The request was to explain a refusal: until it succeeds, the refusal has no meaning,
// and the core makes both requests again.
func passing(err error) error {
	if err = translator.Read(err); storage.IsTemporary(err) {
		return err
	}
	return nil
}

// notFound distinguishes a missing object from a missing bucket. If the response does not say
// which, that costs one more request.
func (b *bucket) notFound(ctx context.Context, err error) *storage.Error {
	e := translate(err)
	if e.Status != http.StatusNotFound {
		return e
	}
	switch response := responseOf(e); {
	case namesBucket(response):
		e.Code = storage.BucketNotFound
		return e
	case response != nil && (hasReason(response, "NoSuchKey") || strings.HasPrefix(response.Message, "No such object")):
		e.Code = storage.ObjectNotFound
		return e
	}
	_, err = b.handle().Attrs(ctx)
	return sdkerror.NotFound(e, translator.Read(err), "")
}

// noSuchBucket is Google's message for a missing bucket. Only the whole sentence
// counts: a message that quotes a key may contain any part of it.
const noSuchBucket = "The specified bucket does not exist."

func namesBucket(response *googleapi.Error) bool {
	return response != nil && (hasReason(response, "NoSuchBucket") || response.Message == noSuchBucket)
}

func hasReason(response *googleapi.Error, reason string) bool {
	return slices.ContainsFunc(response.Errors, func(item googleapi.ErrorItem) bool { return item.Reason == reason })
}
