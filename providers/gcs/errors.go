package gcs

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/outcome"
)

// failures reads what the SDK answers, and requests of ours. Nothing is promised
// about what came before a failure of the server's own.
var failures = &outcome.SDK{
	Answered:   answered,
	Unanswered: unanswered,
	Left:       isUnanswered,
	Acted:      func(status int) bool { return status >= 500 },
}

var (
	translate = failures.Translate
	writes    = failures.Write
)

// isUnanswered reports whether an HTTP client, ours or the SDK's, got no answer.
func isUnanswered(err error) bool {
	var ours *requestError
	var theirs *url.Error
	return errors.As(err, &ours) || errors.As(err, &theirs)
}

func answered(err error) *storage.Error {
	answer := answerOf(err)
	if answer == nil {
		return nil
	}
	v := verdictOf(answer)
	return &storage.Error{
		Code:       v.code,
		Status:     answer.Code,
		RequestID:  answer.Header.Get(requestIDHeader),
		Retryable:  outcome.Passes(v.code),
		RetryAfter: outcome.RetryAfter(answer.Header),
		Hint:       v.hint,
		Err:        err,
	}
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

var networkHints = outcome.Hints{
	Host:        "no such host: check the endpoint",
	Certificate: "the server's certificate is not for this host",
}

// unanswered is what a failure before, or instead of, an answer means.
func unanswered(err error) *storage.Error {
	switch {
	case errors.Is(err, gcs.ErrBucketNotExist):
		return &storage.Error{Code: storage.BucketNotFound, Err: err}
	case errors.Is(err, gcs.ErrObjectNotExist):
		return &storage.Error{Code: storage.ObjectNotFound, Err: err}
	}
	if e := outcome.OfNetwork(err, networkHints); e != nil {
		return e
	}
	if isUnanswered(err) || errors.Is(err, errAnswerBroke) {
		return &storage.Error{Code: storage.Unavailable, Retryable: true, Err: err}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// readFailed is what a failed read means.
func (d *driver) readFailed(ctx context.Context, err error, r *storage.GetRequest) error {
	if missing := d.missing(ctx, translate(err), r.Key, r.Version, r.Condition); missing != nil {
		return d.notFound(ctx, missing)
	}
	return translate(err)
}

// missing is the 404 of what is not there, nil of all else. A condition on what
// is not there can fail before it is looked for: one look decides.
func (d *driver) missing(ctx context.Context, e *storage.Error, key, version string, c storage.Condition) *storage.Error {
	if e.Code == storage.PreconditionFailed && c.Revision != "" {
		o, err := d.at(key, version)
		if err == nil {
			_, err = o.Attrs(ctx)
		}
		if err == nil {
			return nil
		}
		e = translate(err)
	}
	if e.Status != http.StatusNotFound {
		return nil
	}
	return e
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
	return outcome.Missing(e, d.lookAtBucket(ctx), "")
}

// lookAtBucket is nil where the bucket is there.
func (d *driver) lookAtBucket(ctx context.Context) *storage.Error {
	if _, err := d.handle().Attrs(ctx); err != nil {
		return translate(err)
	}
	return nil
}

// noBucket is what Google says of a bucket that is missing. Nothing less than the
// whole sentence is believed: a message that quotes a key can have any part of it.
const noBucket = "The specified bucket does not exist."

// namesBucket reports whether a 404 says that the bucket is missing.
func namesBucket(answer *googleapi.Error) bool {
	return answer != nil && (hasReason(answer, "NoSuchBucket") || answer.Message == noBucket)
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
