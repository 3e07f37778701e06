package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

func invalid(argument, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule), Hint: hint}
}

// reads is what a request that changes nothing failed with.
func reads(err error) error {
	if err == nil {
		return nil
	}
	return translate(err)
}

// writes makes a request that changes something; of one whose answer did not
// come, or tells nothing, the error says so.
func writes(ctx context.Context, do func(context.Context) error) error {
	ctx, counter := transport.CountRequests(ctx)
	err := do(ctx)
	if err == nil {
		return nil
	}
	e := translate(err)
	e.Unknown = lost(err, counter)
	return e
}

// lost reports whether a request that failed may have had its effect.
func lost(err error, counter *transport.Counter) bool {
	if counter.Unanswered() > 0 || transport.Sent(err) {
		return true
	}
	if answer := answerOf(err); answer != nil {
		switch status := answer.HTTPStatusCode(); status {
		case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
			return true // S3 promises nothing about what came before them; 503 is a refusal
		default:
			return status >= 200 && status < 300 // it was done, and the answer broke off
		}
	}
	if counter.Requests() > 0 {
		return false // our transport has counted: it did not leave whole
	}
	// Another HTTP client tells less: whatever failed behind the dial may have
	// arrived.
	var dial *net.OpError
	var unsent *smithyhttp.RequestSendError
	var canceled *smithy.CanceledError
	return (errors.As(err, &unsent) || errors.As(err, &canceled)) && !(errors.As(err, &dial) && dial.Op == "dial")
}

// translate makes an *storage.Error of whatever the SDK answered.
func translate(err error) *storage.Error {
	var own *storage.Error
	if errors.As(err, &own) { // of the credentials, or of the body
		e := *own
		return &e
	}
	var bare storage.Code
	if errors.As(err, &bare) {
		return &storage.Error{Code: bare, Err: err}
	}
	e := &storage.Error{Err: err}
	answer := answerOf(err)
	if answer == nil {
		e.Code, e.Retryable, e.Hint = unanswered(err)
		return e
	}
	e.Status, e.RequestID = answer.HTTPStatusCode(), answer.ServiceRequestID()
	header := answer.Response.Header
	e.RetryAfter = retryAfter(header)
	code, message := words(err)
	v := verdictOf(code, message, e.Status)
	e.Code, e.Hint = v.code, v.hint
	e.Retryable = v.again || v.code == storage.RateLimited || v.code == storage.Unavailable
	if region := rightRegion(header, message); region != "" && v.place {
		e.Hint = "the bucket is in region " + region + ": set region=" + region
	}
	return e
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

// unanswered is what a failure before, or instead of, an answer means.
func unanswered(err error) (code storage.Code, again bool, hint string) {
	var params smithy.InvalidParamsError
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	var unsent *smithyhttp.RequestSendError
	var canceled *smithy.CanceledError
	switch {
	case errors.As(err, &params):
		return storage.InvalidArgument, false, ""
	case errors.As(err, &certificate):
		return storage.Internal, false, "the server's certificate is not for this host: a bucket's name with dots wants path_style=true"
	case errors.As(err, &dns) && dns.IsNotFound:
		return storage.Unavailable, true, "no such host: check region and endpoint"
	case errors.Is(err, context.Canceled) && !errors.As(err, &network):
		return storage.Canceled, false, ""
	case errors.Is(err, context.DeadlineExceeded):
		return storage.DeadlineExceeded, false, ""
	case errors.As(err, &unsent), errors.As(err, &network):
		return storage.Unavailable, true, ""
	case errors.As(err, &canceled):
		return storage.Canceled, false, ""
	}
	return storage.Internal, false, ""
}

// retryAfter is how long the provider asks to wait, in seconds or by date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		if sent, err := http.ParseTime(h.Get("Date")); err == nil && at.After(sent) {
			return at.Sub(sent) // by the server's clock alone
		}
	}
	return 0
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
	for _, code := range codes {
		if own == code {
			return true
		}
	}
	return false
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
// leaves it open: HEAD's has no body. It costs one request, on this path only.
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
	e.Code = storage.ObjectNotFound
	switch looked := d.headBucket(ctx); {
	case looked == nil:
	case looked.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, d.bucketHint()
	case looked.Status == 0 || looked.Retryable:
		return looked // nothing is known
	}
	return e
}

// bucketHint is for a bucket that is not there: S3's names have no capitals.
func (d *driver) bucketHint() string {
	if strings.ToLower(d.bucket) != d.bucket {
		return "buckets' names are in lower case"
	}
	return ""
}
