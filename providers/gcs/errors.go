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

// translator converts the errors of the SDK and of this package's own requests to storage.Errors. A
// server error does not tell whether the service has made the change.
var translator = &sdkerror.Translator{
	FromResponse:    errorFromAPI,
	WithoutResponse: withoutResponse,
	MaybeSent:       isClientError,
	MaybeApplied:    func(status int) bool { return status >= 500 || sdkerror.MaybeApplied(status) },
}

var (
	translate = translator.Translate
	writes    = translator.Write
)

// write calls send, which makes a request that changes something, and returns the result in the response. It
// translates the error as [sdkerror.Translator.Write] does.
func write[T any](ctx context.Context, send func(context.Context) (T, error)) (T, error) {
	var result T
	err := writes(ctx, func(ctx context.Context) error {
		var err error
		result, err = send(ctx)
		return err
	})
	return result, err
}

// isClientError reports whether err comes from the HTTP client of this package or of the SDK,
// and means that there was no response.
func isClientError(err error) bool {
	return sdkerror.IsType[*requestError](err) || sdkerror.IsType[*url.Error](err)
}

// errorFromAPI returns the error for the error response in err, or nil if err has none.
func errorFromAPI(err error) *storage.Error {
	apiErr := responseOf(err)
	if apiErr == nil {
		return nil
	}

	cause := err
	hasOnlyBody := apiErr.Message == "" && len(apiErr.Errors) == 0
	if hasOnlyBody {
		// Do not use the body as the text: a proxy may quote the request in it.
		apiErr.Message = http.StatusText(apiErr.Code)
		cause = &pageError{text: apiErr.Error(), err: err}
	}

	meaning, isRedirect := sdkerror.Redirect(apiErr.Code, apiErr.Header)
	if !isRedirect {
		meaning = meaningOf(apiErr)
	}
	storageErr := meaning.NewError(apiErr.Code, apiErr.Header, cause)
	storageErr.RequestID = apiErr.Header.Get(requestIDHeader)
	storageErr.Unknown = isForeign(apiErr)
	return storageErr
}

// A pageError wraps an error of the SDK that has a web page in place of a message. The text of a
// pageError omits the page.
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

// hasOwnCode reports whether the body is an error document of the service. Gateways send JSON and
// pages of their own, which may also have an "error".
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

// withoutResponse returns the storage.Error for an error that contains no response of the server.
func withoutResponse(err error) *storage.Error {
	if errors.Is(err, gcs.ErrBucketNotExist) {
		return &storage.Error{Code: storage.BucketNotFound, Err: err}
	}
	if errors.Is(err, gcs.ErrObjectNotExist) {
		return &storage.Error{Code: storage.ObjectNotFound, Err: err}
	}
	isConnectionError := isClientError(err) || errors.Is(err, errCutOff)
	return sdkerror.WithoutResponse(err, isConnectionError)
}

// readError returns the error for a failed read, which says whether the object or the bucket is
// missing. That may take a further request.
func (b *bucket) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	storageErr := translate(err)
	missing := b.missingError(ctx, storageErr, r.Key, r.Version, r.Condition)
	if missing == nil {
		return storageErr
	}
	return b.notFound(ctx, missing)
}

// missingError returns an error with status 404 if the object does not exist, or nil if it may exist.
// If storageErr says that the revision did not match, missingError sends a request to find out whether the
// object exists; see [sdkerror.Translator.Missing].
func (b *bucket) missingError(
	ctx context.Context, storageErr *storage.Error, key, version string, c storage.Condition,
) *storage.Error {
	readAttrs := func() error {
		object, err := b.objectVersion(key, version)
		if err != nil {
			return err
		}
		_, err = object.Attrs(ctx)
		return err
	}
	return translator.Missing(storageErr, c, readAttrs)
}

// temporaryError returns err if it is temporary, and otherwise nil. err is the error of a second
// request, by which the caller wants to find out why Google refused the first one. If err is
// temporary, the refusal cannot be explained yet, and the engine must make both requests again.
func temporaryError(err error) error {
	err = translator.Read(err)
	if storage.IsTemporary(err) {
		return err
	}
	return nil
}

// notFound translates err. For a 404, it determines whether the object or the bucket is missing, by one
// more request if the response does not say that.
func (b *bucket) notFound(ctx context.Context, err error) *storage.Error {
	storageErr := translate(err)
	if storageErr.Status != http.StatusNotFound {
		return storageErr
	}
	apiErr := responseOf(storageErr)
	if namesBucket(apiErr) {
		storageErr.Code = storage.BucketNotFound
		return storageErr
	}
	if namesObject(apiErr) {
		storageErr.Code = storage.ObjectNotFound
		return storageErr
	}

	_, bucketErr := b.handle().Attrs(ctx)
	return sdkerror.NotFound(storageErr, translator.Read(bucketErr), "")
}

// noSuchBucket is Google's message for a missing bucket. Other messages may quote a key that
// contains this text. So a message must be equal to this text, and not only contain it.
const noSuchBucket = "The specified bucket does not exist."

// namesBucket reports whether a 404 is about the bucket. response may be nil.
func namesBucket(response *googleapi.Error) bool {
	return response != nil && (hasReason(response, "NoSuchBucket") || response.Message == noSuchBucket)
}

// namesObject reports whether a 404 is about the object. response may be nil.
func namesObject(response *googleapi.Error) bool {
	return response != nil && (hasReason(response, "NoSuchKey") || strings.HasPrefix(response.Message, "No such object"))
}

func hasReason(response *googleapi.Error, reason string) bool {
	return slices.ContainsFunc(response.Errors, func(item googleapi.ErrorItem) bool { return item.Reason == reason })
}
