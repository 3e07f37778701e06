package s3

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// translator translates errors of the AWS SDK into errors of package storage.
var translator = &sdkerror.Translator{
	FromResponse:    errorFromAPI,
	WithoutResponse: withoutResponse,
	MaybeSent:       mayHaveBeenSent,
	MaybeApplied: func(status int) bool {
		// S3 sends 507 if the store is full. Nothing was stored.
		return status != http.StatusInsufficientStorage && sdkerror.MaybeApplied(status)
	},
}

var (
	translate = translator.Translate
	asError   = translator.AsError
	reads     = translator.Read
	writes    = translator.Write
)

type sendFunc[In, Out any] func(context.Context, *In, ...func(*awss3.Options)) (*Out, error)

// write sends one request that changes something. It fails if isComplete returns false for the
// response: isComplete checks the fields that every S3 server returns after a success.
func write[In, Out any](
	ctx context.Context, send sendFunc[In, Out], input *In, isComplete func(*Out) bool, options ...func(*awss3.Options),
) (out *Out, err error) {
	err = writes(ctx, func(ctx context.Context) (err error) {
		if out, err = send(ctx, input, options...); err == nil && !isComplete(out) {
			err = evidence.Missing()
		}
		return err
	})
	return out, err
}

// sendWrite is like write, for a request whose response has no fields.
func sendWrite[In, Out any](
	ctx context.Context, send sendFunc[In, Out], input *In, options ...func(*awss3.Options),
) error {
	_, err := write(ctx, send, input, func(*Out) bool { return true }, options...)
	return err
}

// mayHaveBeenSent reports whether err is the SDK's error for an interrupted request. Such an error
// does not tell how much of the request was sent.
func mayHaveBeenSent(err error) bool {
	return isUnsent(err) || sdkerror.IsType[*smithy.CanceledError](err)
}

func isUnsent(err error) bool { return sdkerror.IsType[*smithyhttp.RequestSendError](err) }

func errorFromAPI(err error) *storage.Error {
	response := responseOf(err)
	if response == nil {
		return nil
	}
	status := response.HTTPStatusCode()
	code, message := codeAndMessage(err)
	m := meaningOf(code, message, status)
	if !errorMeanings.Has(code) && (status == http.StatusUnauthorized || status == http.StatusForbidden) &&
		serverclock.IsSkewed(response.Response.Response) {
		m = errorMeanings.Codes["RequestTimeTooSkewed"] // the response to a HEAD has no body with a code
	}
	if isThrottledHead(response.Response.Response) {
		m = errorMeanings.Codes["SlowDown"]
	}
	if strings.HasPrefix(response.Response.Status, "200") && errorMeanings.Has(code) && !sdkerror.IsRetryable(m.Code) {
		// The SDK sets the status to 500, which would mean that the write may have had an effect.
		// After this error, it had none.
		status = http.StatusBadRequest
	}
	if code == "ConditionalRequestConflict" {
		status = http.StatusConflict // S3 may send this code after status 200, too
	}
	isStoreError := hasOwnCode(code, message, status) || evidence.HasOwnHeader(response.Response.Header)
	if redirect, ok := sdkerror.Redirect(status, response.Response.Header); ok && !isStoreError {
		m = redirect
	}
	e := m.NewError(status, response.Response.Header, err)
	e.Retryable = e.Retryable || areReplaced(err)
	e.RequestID = response.ServiceRequestID()
	e.Unknown = sdkerror.IsForeign(status, isStoreError, false)
	if region := otherRegion(err); region != "" {
		e.Hint = "the bucket is in region " + region + ": set region=" + region
	}
	return e
}

// isThrottledHead reports whether S3 has throttled a HEAD. A HEAD has no body, so the code SlowDown
// is missing (https://github.com/aws/aws-sdk-java-v2/issues/5414). But the response has the id of
// the request. The 503 of a gateway has no id.
func isThrottledHead(r *http.Response) bool {
	return r.StatusCode == http.StatusServiceUnavailable && r.Request != nil && r.Request.Method == http.MethodHead &&
		r.Header.Get("X-Amz-Request-Id") != ""
}

// otherRegion returns the bucket's region if the response names it and the
// request was signed for another one. Otherwise it returns "".
func otherRegion(err error) string {
	response := responseOf(err)
	if response == nil {
		return ""
	}
	code, message := codeAndMessage(err)
	if !mayBeWrongRegion(code, response.HTTPStatusCode()) {
		return ""
	}
	region := response.Response.Header.Get("X-Amz-Bucket-Region")
	if match := regexp.MustCompile(`expecting '([a-z0-9-]+)'`).FindStringSubmatch(message); region == "" &&
		match != nil {
		region = match[1] // from the text of AuthorizationHeaderMalformed
	}
	if region == signature.SignedRegion(response.Response.Response) {
		return ""
	}
	return region
}

// responseOf returns the response that err contains, or nil. If there was no response, the SDK
// makes up an empty one.
func responseOf(err error) *awshttp.ResponseError {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil ||
		response.Response.StatusCode == 0 {
		return nil
	}
	return response
}

// codeAndMessage returns the provider's code and message. If the response has no body, they are
// empty or made up by the SDK from the status, but MinIO sends both in headers.
//
// https://github.com/minio/minio/blob/master/cmd/api-response.go
func codeAndMessage(err error) (code, message string) {
	if code := headerOf(err, "X-Minio-Error-Code"); code != "" {
		return code, strings.Trim(headerOf(err, "X-Minio-Error-Desc"), `"`)
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

func withoutResponse(err error) *storage.Error {
	if sdkerror.IsType[smithy.InvalidParamsError](err) {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	e := sdkerror.WithoutResponse(err, isUnsent(err))
	switch {
	case sdkerror.IsType[x509.HostnameError](err):
		e.Hint = "the server's certificate is for another host: if the bucket's name has dots, set path_style=true"
	case sdkerror.IsType[x509.UnknownAuthorityError](err):
		e.Hint = "this machine does not trust the server's certificate: set AWS_CA_BUNDLE to a file of certificates to trust"
	case e.Code == storage.Internal && e.Hint == "" && sdkerror.IsType[*smithy.CanceledError](err):
		e.Code = storage.Canceled
	}
	return e
}

// isCode reports whether the provider's own code is one of codes.
func isCode(err error, codes ...string) bool {
	got, _ := codeAndMessage(err)
	return slices.Contains(codes, got)
}

// statusOf returns the status of the response that err contains, or 0.
func statusOf(err error) int {
	if response := responseOf(err); response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

// headerOf returns a header of the response that err contains, or "".
func headerOf(err error, name string) string {
	if response := responseOf(err); response != nil {
		return response.Response.Header.Get(name)
	}
	return ""
}

// notFound returns the error for a missing object or a missing bucket. A 404 to a HEAD has no body
// that says which of the two is missing. MinIO says it in a header, and then one request is enough.
// For other servers, notFound requests the bucket. If the bucket exists, notFound
// remembers this for one minute (bucketRemembered). If the bucket is removed within this minute,
// errors still say that the object is missing.
func (b *bucket) notFound(ctx context.Context, err error) error {
	e := translate(err)
	if statusOf(err) != http.StatusNotFound {
		return e
	}
	if isKMSError(err) || e.Code == storage.Unauthenticated {
		return e
	}
	code, _ := codeAndMessage(err)
	switch code {
	case "NoSuchBucket":
		return e
	case "NoSuchKey", "NoSuchVersion":
		e.Code = storage.ObjectNotFound
		return e
	}
	if t := b.seenAt.Load(); t != nil && b.account.clock.Now().Sub(*t) < bucketRemembered {
		e.Code = storage.ObjectNotFound
		return e
	}
	_, err = b.account.client.HeadBucket(ctx, &awss3.HeadBucketInput{Bucket: &b.name})
	notFoundErr := sdkerror.NotFound(e, reads(err), b.missingHint())
	if notFoundErr.Code == storage.ObjectNotFound {
		now := b.account.clock.Now()
		b.seenAt.Store(&now)
	}
	return notFoundErr
}

const bucketRemembered = time.Minute

// missingHint returns the hint for a missing bucket: its name may have capitals,
// which S3 does not allow.
func (b *bucket) missingHint() string {
	if strings.ToLower(b.name) != b.name {
		return "the name of a bucket has no capital letters"
	}
	return ""
}

// readError translates the error of a read. A read of a delete marker fails with ObjectNotFound,
// although S3 responds with 405 if the request names the marker's version.
func (b *bucket) readError(ctx context.Context, err error, r *driver.GetRequest) error {
	status := statusOf(err)
	if status == http.StatusMethodNotAllowed && (r.Version != "" || headerOf(err, "X-Amz-Delete-Marker") == "true") ||
		status == http.StatusNotFound && headerOf(err, "X-Amz-Delete-Marker") == "true" {
		e := translate(err)
		e.Code = storage.ObjectNotFound
		e.Hint = ""
		return e
	}
	if status == http.StatusNotFound {
		return b.notFound(ctx, err)
	}
	return translate(err)
}

// listError translates the error of a listing. A 404 means that the bucket is missing, never an
// object.
func (b *bucket) listError(err error) error {
	return sdkerror.FromListing(translate(err), b.missingHint())
}

const deniedRemembered = time.Minute

// hiddenRefusal finds out whether a HEAD failed with err because of its credentials. The response
// to a HEAD has no body that names the reason (https://github.com/aws/aws-sdk-js/issues/2219). For
// example, ExpiredToken is a plain 400, and InvalidAccessKeyId is a plain 403. hiddenRefusal
// therefore calls the function get, which sends a GET. If the GET shows that the credentials were
// refused, hiddenRefusal returns the error of the GET. Otherwise it returns nil. A HEAD often fails
// with 403, so a 403 causes at most one GET a minute.
func (a *account) hiddenRefusal(err error, get func() error) error {
	status := statusOf(err)
	if status != http.StatusBadRequest && status != http.StatusForbidden ||
		serverclock.IsSkewed(responseOf(err).Response.Response) {
		return nil
	}
	if a.renewer == nil && !signature.IsOfSession(responseOf(err).Response.Response) {
		return nil
	}
	now := a.clock.Now()
	if t := a.deniedAt.Load(); status == http.StatusForbidden && t != nil && now.Sub(*t) < deniedRemembered {
		return nil
	}
	if refusal := get(); refusal != nil {
		if e := asError(refusal); e.Code == storage.Unauthenticated ||
			e.Status == http.StatusBadRequest && status == e.Status {
			return refusal
		}
	}
	if status == http.StatusForbidden {
		a.deniedAt.Store(&now)
	}
	return nil
}
