// Package s3error translates the errors of the AWS SDK, and the codes of S3 and of compatible servers, into
// errors of package storage. Start at [Translate]. The tables in codes.go have the meanings.
package s3error

import (
	"crypto/x509"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// translator translates errors of the AWS SDK into errors of package storage.
var translator = &sdkerror.Translator{
	FromResponse:    FromResponse,
	WithoutResponse: withoutResponse,
	MaybeSent:       mayHaveBeenSent,
	MaybeApplied: func(status int) bool {
		// S3 sends 507 if the store is full. Nothing was stored.
		return status != http.StatusInsufficientStorage && sdkerror.MaybeApplied(status)
	},
}

// These functions translate errors, as those of [sdkerror.Translator] do. The argument of Read and Write is a
// request that reads or changes something. Of also accepts an error that is translated already.
var (
	Translate = translator.Translate
	Of        = translator.AsError
	Read      = translator.Read
	Write     = translator.Write
)

// mayHaveBeenSent reports whether err is the SDK's error for an interrupted request. Such an error
// does not tell how much of the request was sent.
func mayHaveBeenSent(err error) bool {
	return IsUnsent(err) || sdkerror.IsType[*smithy.CanceledError](err)
}

// IsUnsent reports whether err is the SDK's error for a request that failed on its way.
func IsUnsent(err error) bool { return sdkerror.IsType[*smithyhttp.RequestSendError](err) }

// FromResponse translates an error with a response of S3, by its code or else by its status. It
// returns nil if err has no response.
func FromResponse(err error) *storage.Error {
	response := Response(err)
	if response == nil {
		return nil
	}
	code, message := CodeAndMessage(err)
	m := meaningOf(response.Response.Response, code, message)
	status := effectiveStatus(response.Response.Response, code, m)

	// A redirect may come from a gateway, if nothing shows that the store sent it.
	hasCode := hasOwnCode(code, message, status)
	hasHeader := evidence.HasOwnHeader(response.Response.Header)
	isStoreError := hasCode || hasHeader
	if redirect, ok := sdkerror.Redirect(status, response.Response.Header); ok && !isStoreError {
		m = redirect
	}

	// Add what the headers of the response say.
	storageErr := m.NewError(status, response.Response.Header, err)
	storageErr.Retryable = storageErr.Retryable || areReplaced(err) // new credentials may be accepted
	storageErr.RequestID = response.ServiceRequestID()
	storageErr.Unknown = sdkerror.IsForeign(status, hasCode, hasHeader)
	if region := OtherRegion(err); region != "" {
		storageErr.Hint = "the bucket is in region " + region + ": set region=" + region
	}
	return storageErr
}

// meaningOf returns the meaning of a response with this code and message. The response to a HEAD has
// no body, so its code is not one of S3, and meaningOf looks at its headers.
func meaningOf(r *http.Response, code, message string) sdkerror.Meaning {
	if isThrottledHead(r) {
		return meanings.Codes["SlowDown"]
	}
	isDenied := r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden
	if isDenied && !meanings.Has(code) && serverclock.IsSkewed(r) {
		return meanings.Codes["RequestTimeTooSkewed"]
	}
	return Meaning(code, message, r.StatusCode)
}

// effectiveStatus returns the status that a response with this code and the meaning m should have. It
// differs from the status of r if S3 sent the error in the body of a response with status 200. The
// SDK then sets the status to 500, which would mean that the write may have had an effect.
func effectiveStatus(r *http.Response, code string, m sdkerror.Meaning) int {
	if code == "ConditionalRequestConflict" {
		return http.StatusConflict
	}

	// The SDK changes r.StatusCode, but not the text in r.Status.
	wasSentAs200 := strings.HasPrefix(r.Status, "200")
	hasNoEffect := meanings.Has(code) && !sdkerror.IsRetryable(m.Code)
	if wasSentAs200 && hasNoEffect {
		return http.StatusBadRequest
	}
	return r.StatusCode
}

// isThrottledHead reports whether S3 has throttled a HEAD. A HEAD has no body, so the code SlowDown
// is missing (https://github.com/aws/aws-sdk-java-v2/issues/5414). But the response has the id of
// the request. The 503 of a gateway has no id.
func isThrottledHead(r *http.Response) bool {
	return r.StatusCode == http.StatusServiceUnavailable && r.Request != nil && r.Request.Method == http.MethodHead &&
		r.Header.Get("X-Amz-Request-Id") != ""
}

// OtherRegion returns the bucket's region if the response names it and the request was signed for
// another one. Otherwise it returns "".
func OtherRegion(err error) string {
	response := Response(err)
	if response == nil {
		return ""
	}
	code, message := CodeAndMessage(err)
	if !mayBeWrongRegion(code, response.HTTPStatusCode()) {
		return ""
	}
	// AuthorizationHeaderMalformed names the region only in its text.
	region := response.Response.Header.Get("X-Amz-Bucket-Region")
	if region == "" {
		match := regexp.MustCompile(`expecting '([a-z0-9-]+)'`).FindStringSubmatch(message)
		if match != nil {
			region = match[1]
		}
	}
	if region == signature.SignedRegion(response.Response.Response) {
		return ""
	}
	return region
}

// Response returns the response that err contains, or nil if there is none. An empty response does
// not count, because the SDK makes one up if the server has not responded.
func Response(err error) *awshttp.ResponseError {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return nil
	}
	if r := response.Response.Response; r == nil || r.StatusCode == 0 {
		return nil
	}
	return response
}

// CodeAndMessage returns the provider's code and message. For a response without a body, the SDK
// makes them up from the status, or leaves them empty, but MinIO sends both in headers.
//
// https://github.com/minio/minio/blob/master/cmd/api-response.go
func CodeAndMessage(err error) (code, message string) {
	if code := Header(err, "X-Minio-Error-Code"); code != "" {
		return code, strings.Trim(Header(err, "X-Minio-Error-Desc"), `"`)
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

// hasOwnCode reports whether the code of an error comes from the provider. If the body has no code,
// the SDK makes a code from the status.
func hasOwnCode(code, message string, status int) bool {
	text := http.StatusText(status)
	return code != "" && code != "UnknownError" && (code != strings.ReplaceAll(text, " ", "") || message != text)
}

// withoutResponse translates the error of a request that the SDK refused, or that was not sent or
// not answered.
func withoutResponse(err error) *storage.Error {
	if sdkerror.IsType[smithy.InvalidParamsError](err) {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}

	storageErr := sdkerror.WithoutResponse(err, IsUnsent(err))
	switch {
	case sdkerror.IsType[x509.HostnameError](err):
		storageErr.Hint = "the server's certificate is for another host: if the bucket's name has dots, set path_style=true"
	case sdkerror.IsType[x509.UnknownAuthorityError](err):
		storageErr.Hint = "this machine does not trust the server's certificate: set AWS_CA_BUNDLE to a file of certificates to trust"
	case storageErr.Code == storage.Internal && storageErr.Hint == "" && sdkerror.IsType[*smithy.CanceledError](err):
		storageErr.Code = storage.Canceled
	}
	return storageErr
}

// IsCode reports whether the provider's own code is one of codes.
func IsCode(err error, codes ...string) bool {
	got, _ := CodeAndMessage(err)
	return slices.Contains(codes, got)
}

// Status returns the status of the response that err contains, or 0.
func Status(err error) int {
	if response := Response(err); response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

// Header returns a header of the response that err contains, or "".
func Header(err error, name string) string {
	if response := Response(err); response != nil {
		return response.Response.Header.Get(name)
	}
	return ""
}
