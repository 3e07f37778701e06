package gcs

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

func invalid(argument, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule), Hint: hint}
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
	e.Unknown = e.Unknown || lost(err, counter)
	return e
}

// lost reports whether a request that failed may have had its effect.
func lost(err error, counter *transport.Counter) bool {
	if counter.Unanswered() > 0 {
		return true
	}
	var own *storage.Error
	if errors.As(err, &own) {
		return false // of the credentials, or of the body
	}
	if transport.Sent(err) {
		return true
	}
	if answer := answerOf(err); answer != nil {
		return answer.Code >= 500 // nothing is promised about what came before them
	}
	if counter.Requests() > 0 {
		return false // our transport has counted: it did not leave whole
	}
	// Another HTTP client tells less: whatever failed behind the dial may have
	// arrived.
	var dial *net.OpError
	return isUnanswered(err) && !(errors.As(err, &dial) && dial.Op == "dial")
}

// isUnanswered reports whether an HTTP client, ours or the SDK's, got no answer.
func isUnanswered(err error) bool {
	var ours *requestError
	var theirs *url.Error
	return errors.As(err, &ours) || errors.As(err, &theirs)
}

// translate makes an *storage.Error of whatever a request or the SDK answered.
func translate(err error) *storage.Error {
	var own *storage.Error
	if errors.As(err, &own) {
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
	e.Status, e.RequestID = answer.Code, answer.Header.Get(requestIDHeader)
	e.RetryAfter = retryAfter(answer.Header)
	v := verdictOf(answer)
	e.Code, e.Hint = v.code, v.hint
	e.Retryable = v.code == storage.RateLimited || v.code == storage.Unavailable
	return e
}

const requestIDHeader = "X-Guploader-Uploadid"

// answerOf is the answer that an error came with, or nil.
func answerOf(err error) *googleapi.Error {
	var answer *googleapi.Error
	if errors.As(err, &answer) {
		return answer
	}
	return nil
}

// unanswered is what a failure before, or instead of, an answer means.
func unanswered(err error) (code storage.Code, again bool, hint string) {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	var exchange *transport.Error
	switch {
	case errors.Is(err, gcs.ErrBucketNotExist):
		return storage.BucketNotFound, false, ""
	case errors.Is(err, gcs.ErrObjectNotExist):
		return storage.ObjectNotFound, false, ""
	case errors.As(err, &certificate):
		return storage.Internal, false, "the server's certificate is not for this host"
	case errors.As(err, &dns) && dns.IsNotFound:
		return storage.Unavailable, true, "no such host: check the endpoint"
	case errors.Is(err, context.Canceled) && !transport.Stalled(err):
		return storage.Canceled, false, ""
	case errors.Is(err, context.DeadlineExceeded):
		return storage.DeadlineExceeded, false, ""
	case isUnanswered(err), errors.As(err, &exchange), errors.As(err, &network), errors.Is(err, errAnswerBroke):
		return storage.Unavailable, true, ""
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

// notFound tells a missing object from a missing bucket. The provider's words
// do; where they are none of its own it costs one request, on this path only.
func (d *driver) notFound(ctx context.Context, err error) *storage.Error {
	e := translate(err)
	if e.Status != http.StatusNotFound {
		return e
	}
	switch answer := answerOf(e); {
	case namesBucket(answer):
		e.Code = storage.BucketNotFound
		return e
	case namesObject(answer):
		e.Code = storage.ObjectNotFound
		return e
	}
	e.Code = storage.ObjectNotFound
	switch looked := d.lookAtBucket(ctx); {
	case looked == nil:
	case looked.Status == http.StatusNotFound:
		e.Code = storage.BucketNotFound
	case looked.Status == 0 || looked.Retryable:
		return looked // nothing is known
	}
	return e
}

// lookAtBucket is nil where the bucket is there.
func (d *driver) lookAtBucket(ctx context.Context) *storage.Error {
	if _, err := d.handle().Attrs(ctx); err != nil {
		return translate(err)
	}
	return nil
}

// namesBucket reports whether a 404 says that the bucket is missing.
func namesBucket(answer *googleapi.Error) bool {
	return answer != nil && (hasReason(answer, "NoSuchBucket") ||
		strings.Contains(strings.ToLower(answer.Message), "bucket does not exist"))
}

// namesObject reports whether a 404 says that an object is missing.
func namesObject(answer *googleapi.Error) bool {
	return answer != nil && (hasReason(answer, "NoSuchKey") || strings.HasPrefix(answer.Message, "No such object"))
}

func hasReason(answer *googleapi.Error, reason string) bool {
	for _, item := range answer.Errors {
		if item.Reason == reason {
			return true
		}
	}
	return false
}
