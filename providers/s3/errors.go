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
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// failures reads what the SDK answers.
var failures = &outcome.SDK{
	Answered:   answered,
	Unanswered: unanswered,
	Left:       mayHaveLeft,
	Acted:      outcome.MayHaveActed,
}

var (
	translate = failures.Translate
	asError   = failures.AsError
	reads     = failures.Read
	writes    = failures.Write
)

// mayHaveLeft: of an interrupted request the SDK keeps nothing but that.
func mayHaveLeft(err error) bool {
	var unsent *smithyhttp.RequestSendError
	var canceled *smithy.CanceledError
	return errors.As(err, &unsent) || errors.As(err, &canceled)
}

func answered(err error) *storage.Error {
	answer := answerOf(err)
	if answer == nil {
		return nil
	}
	header := answer.Response.Header
	e := &storage.Error{
		Status:     answer.HTTPStatusCode(),
		RequestID:  answer.ServiceRequestID(),
		RetryAfter: outcome.RetryAfter(header),
		Err:        err,
	}
	code, message := words(err)
	v := verdictOf(code, message, e.Status)
	if _, known := verdicts[code]; !known && isRefusal(e.Status) && isSkewed(answer.Response.Response) {
		v = verdicts["RequestTimeTooSkewed"] // HEAD's answers have no body to say so
	}
	e.Code, e.Hint = v.code, v.hint
	e.Retryable = v.again || outcome.Passes(v.code)
	if region := elsewhere(err); region != "" {
		e.Hint = "the bucket is in region " + region + ": set region=" + region
	}
	return e
}

func isRefusal(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden
}

// elsewhere is the region that a bucket is in, where an answer says so and the
// request was signed for another.
func elsewhere(err error) string {
	answer := answerOf(err)
	if answer == nil {
		return ""
	}
	code, message := words(err)
	region := rightRegion(answer.Response.Header, message)
	if !verdictOf(code, message, answer.HTTPStatusCode()).place || region == signedRegion(answer.Response.Response) {
		return ""
	}
	return region
}

// answerOf is the answer that an error came with, or nil: the SDK makes up an
// empty one where a request failed on its way.
func answerOf(err error) *awshttp.ResponseError {
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil || answer.Response.StatusCode == 0 {
		return nil
	}
	return answer
}

// words are the provider's own; without an answer's body they are empty, or
// what the SDK makes of the status.
func words(err error) (code, message string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", ""
	}
	return api.ErrorCode(), api.ErrorMessage()
}

// networkHints are what to check, by what is wrong with a certificate.
func networkHints(err error) outcome.Hints {
	hints := outcome.Hints{Host: "no such host: check region and endpoint"}
	var host x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &host):
		hints.Certificate = "the server's certificate is not for this host: a bucket's name with dots wants path_style=true"
	case errors.As(err, &authority):
		hints.Certificate = "the server's certificate is signed by nobody whom this machine trusts: AWS_CA_BUNDLE names a file of certificates to trust"
	}
	return hints
}

// unanswered is what a failure before, or instead of, an answer means.
func unanswered(err error) *storage.Error {
	var params smithy.InvalidParamsError
	if errors.As(err, &params) {
		return &storage.Error{Code: storage.InvalidArgument, Err: err}
	}
	if e := outcome.OfNetwork(err, networkHints(err)); e != nil {
		return e
	}
	var unsent *smithyhttp.RequestSendError
	var canceled *smithy.CanceledError
	switch {
	case errors.As(err, &unsent):
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	case errors.As(err, &canceled):
		return &storage.Error{Code: storage.Canceled, Err: err}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// expectedRegion is in the message of AuthorizationHeaderMalformed.
var expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)

func rightRegion(h http.Header, message string) string {
	if region := h.Get("X-Amz-Bucket-Region"); region != "" {
		return region
	}
	if found := expectedRegion.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// isCode reports whether the provider's own code is one of codes.
func isCode(err error, codes ...string) bool {
	own, _ := words(err)
	return slices.Contains(codes, own)
}

// statusOf is the answer's, or 0.
func statusOf(err error) int {
	if answer := answerOf(err); answer != nil {
		return answer.HTTPStatusCode()
	}
	return 0
}

// headerOf is the value of a header of the answer that err came with.
func headerOf(err error, name string) string {
	if answer := answerOf(err); answer != nil {
		return answer.Response.Header.Get(name)
	}
	return ""
}

// notFound tells a missing object from a missing bucket, for an answer that
// leaves it open: HEAD's has no body. That costs one request, on this path only, and
// once in bucketRemembered: a bucket that is removed meanwhile is an object that is
// missing for so long.
func (d *driver) notFound(ctx context.Context, err error) error {
	e := translate(err)
	if statusOf(err) != http.StatusNotFound {
		return e
	}
	switch code, _ := words(err); code {
	case "NoSuchBucket":
		return e
	case "NoSuchKey", "NoSuchVersion":
		e.Code = storage.ObjectNotFound
		return e
	}
	if seen := d.seen.Load(); seen != nil && d.clock.now().Sub(*seen) < bucketRemembered {
		e.Code = storage.ObjectNotFound
		return e
	}
	missing := outcome.Missing(e, d.headBucket(ctx), d.bucketHint())
	if missing.Code == storage.ObjectNotFound {
		now := d.clock.now()
		d.seen.Store(&now)
	}
	return missing
}

const bucketRemembered = time.Minute

// bucketHint is for a bucket that is not there: S3's names have no capitals.
func (d *driver) bucketHint() string {
	if strings.ToLower(d.bucket) != d.bucket {
		return "buckets' names are in lower case"
	}
	return ""
}
