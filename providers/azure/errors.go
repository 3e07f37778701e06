package azure

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// translator converts the errors of the Azure SDK to storage.Errors.
var translator = &sdkerror.Translator{
	FromResponse:    errorFromResponse,
	WithoutResponse: withoutResponse,
	MaybeSent:       mayHaveBeenSent,
	MaybeApplied:    sdkerror.MaybeApplied,
}

var (
	translate     = translator.Translate
	asError       = translator.AsError
	translateRead = translator.Read
)

// mayHaveBeenSent reports whether err means that a request was interrupted. The request may have
// been sent completely, in part, or not at all.
func mayHaveBeenSent(err error) bool {
	return sdkerror.IsType[*url.Error](err) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// errorFromResponse translates an error with a response, by the code that Azure sent or else by the
// status. It returns nil if err has no response.
func errorFromResponse(err error) *storage.Error {
	response := responseOf(err)
	if response == nil {
		return nil
	}

	header := response.RawResponse.Header
	document := documentOf(response)
	code := cmp.Or(response.ErrorCode, document.Code)
	meaning := meaningOfResponse(response, code, document)

	// The error keeps its cause, but not the SDK's text, which may contain a signature.
	storageErr := meaning.NewError(
		response.StatusCode, header,
		&responseError{code: code, message: document.text(), status: response.StatusCode, sdk: err},
	)
	storageErr.RequestID = header.Get(requestIDHeader)
	// The SDK may have read response.ErrorCode from a web page, so it is no evidence.
	isStoreError := document.Code != "" || header.Get("X-Ms-Error-Code") != ""
	storageErr.Unknown = sdkerror.IsForeign(response.StatusCode, isStoreError, storageErr.RequestID != "")
	storageErr.RetryAfter = retryAfter(header)

	if storageErr.Hint == "" && response.StatusCode < http.StatusMultipleChoices {
		// Another server has responded, because the service never answers the request with this status.
		storageErr.Hint = sdkerror.PageHint
	}
	return storageErr
}

// meaningOfResponse returns the storage code and the hint for an error response. It depends on more than
// Azure's code, because some responses mean something else than their code says.
func meaningOfResponse(response *azcore.ResponseError, code string, document errorDocument) sdkerror.Meaning {
	meaning := meaningOf(code, response.StatusCode)
	if redirect, ok := sdkerror.Redirect(response.StatusCode, response.RawResponse.Header); ok {
		meaning = redirect
	}
	if isHidden(response.RawResponse, code) {
		// The service hides from a request without credentials whether the container exists.
		meaning = sdkerror.Meaning{Code: storage.Unauthenticated, Hint: hiddenHint}
	}
	if code == "InvalidQueryParameterValue" && document.QueryParameterName == "comp" {
		// comp names the operation, so the service does not know the operation.
		meaning.Code = storage.Unsupported
		meaning.Hint = operationHint
	}
	meaning.Hint = cmp.Or(specialHint(code, document, response.RawResponse), meaning.Hint)
	return meaning
}

// isHidden reports whether the service hides whether the container exists, as it does from an
// anonymous request for a private container. Such a response does not depend on the request. It has
// no version of the service, and its code is only in the body.
func isHidden(response *http.Response, code string) bool {
	h := response.Header
	if response.StatusCode != http.StatusNotFound {
		return false
	}
	dependsOnRequest := h.Get("X-Ms-Error-Code") != "" || h.Get("X-Ms-Version") != ""
	if dependsOnRequest {
		return false
	}
	return code == "ResourceNotFound" || strings.HasPrefix(h.Get("Server"), "Blob Service Version")
}

// A responseError wraps the SDK's error and replaces its text. The SDK's text quotes the whole
// response, which contains the signature if the signature was wrong.
type responseError struct {
	code, message string
	status        int
	sdk           error
}

// Error returns the code and the message of the service, or the status if it sent neither.
func (r *responseError) Error() string {
	if text := strings.Trim(r.code+": "+r.message, ": "); text != "" {
		return text
	}
	return fmt.Sprintf("the service responded with status %d", r.status)
}

// Unwrap returns the SDK's *azcore.ResponseError.
func (r *responseError) Unwrap() error { return r.sdk }

// responseOf returns the response that err contains, or nil if there is none.
func responseOf(err error) *azcore.ResponseError {
	var response *azcore.ResponseError
	if !errors.As(err, &response) || response.RawResponse == nil || response.StatusCode == 0 {
		return nil
	}
	return response
}

// An errorDocument is the body of an error response. It omits elements that may contain a
// signature.
type errorDocument struct {
	Code, Message             string
	HeaderName                string // set for InvalidHeaderValue
	QueryParameterName        string // set for InvalidQueryParameterValue
	AuthenticationErrorDetail string // set for AuthenticationFailed; may contain the text that was signed
}

// documentOf parses the body of a response, which can still be read afterwards. It returns the zero
// value if there is no XML document, as in the response to a HEAD.
func documentOf(response *azcore.ResponseError) errorDocument {
	var document errorDocument
	if response.RawResponse.Body == nil {
		return document
	}
	text, err := io.ReadAll(io.LimitReader(response.RawResponse.Body, maxErrorDocument))
	if err != nil {
		return document
	}
	// The error is ignored, because a body that is not XML has no message.
	_ = xml.Unmarshal(text, &document)
	response.RawResponse.Body = io.NopCloser(strings.NewReader(string(text)))
	return document
}

const maxErrorDocument = 64 << 10 // bytes of a response that documentOf reads

// text returns the first line of the message, with the header that it is about. The other lines are
// the request's id and the time.
func (d *errorDocument) text() string {
	message, _, _ := strings.Cut(strings.TrimSpace(d.Message), "\n")
	message = strings.TrimSpace(message)
	if d.HeaderName != "" {
		message = strings.TrimSpace(message + " (" + d.HeaderName + ")")
	}
	return message
}

// withoutResponse translates the error of a request that got no response. It omits the URL, which
// may contain a signature.
func withoutResponse(err error) *storage.Error {
	urlErr, isNetworkError := errors.AsType[*url.Error](err)
	if isNetworkError {
		err = urlErr.Err
	}
	if sdkerror.IsType[*azidentity.AuthenticationFailedError](err) {
		return tokenError(err)
	}
	return sdkerror.WithoutResponse(err, isNetworkError || errors.Is(err, io.ErrUnexpectedEOF))
}

// retryAfter returns how long the service asks the client to wait. Some responses have a header in
// milliseconds.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if ms, err := strconv.Atoi(h.Get(name)); err == nil && ms > 0 {
			return time.Duration(ms) * time.Millisecond
		}
	}
	return sdkerror.RetryAfter(h)
}

// isCode reports whether the service's own code is one of codes.
func isCode(err error, codes ...string) bool {
	var r *responseError
	return errors.As(err, &r) && slices.Contains(codes, r.code)
}
