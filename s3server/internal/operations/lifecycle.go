package operations

import (
	"net/http"
	"net/url"

	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// leastSizeHeader is the header that selects which small objects are not transitioned.
const leastSizeHeader = "X-Amz-Transition-Default-Minimum-Object-Size"

// putLifecycle replaces the lifecycle rules of the bucket, and adds an ID to each rule that has none.
func putLifecycle(r *request.Request) error {
	if err := request.NeedDigest(r); err != nil {
		return err
	}

	config := lifecycle.Configuration{Least: lifecycle.SmallAnywhere}
	if value := r.HTTP.Header.Get(leastSizeHeader); value != "" {
		config.Least = value
		if value != lifecycle.SmallAnywhere && value != lifecycle.SmallByClass {
			return s3error.New("InvalidRequest").WithMessage("Invalid TransitionDefaultMinimumObjectSize found: %s", value)
		}
	}
	if err := r.ReadXML(&config); err != nil {
		return err
	}

	r.Writer.Header().Set(leastSizeHeader, config.Least)
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		b.Lifecycle = &config
		return nil
	})
}

// getLifecycle responds with the lifecycle rules of the bucket. A header says which small objects stay in their
// storage class.
func getLifecycle(r *request.Request) error {
	return getSetting("LifecycleConfiguration", func(b *state.Bucket) (any, error) {
		if b.Lifecycle == nil {
			return nil, s3error.New("NoSuchLifecycleConfiguration", "BucketName", b.Name)
		}
		r.Writer.Header().Set(leastSizeHeader, b.Lifecycle.Least)
		return b.Lifecycle, nil
	})(r)
}

// headerClock computes the times in response headers. It has days of 24 hours, even if
// Config.LifecycleDay is shorter, so that clients see the times of AWS.
var headerClock = lifecycle.Clock{Day: lifecycle.FullDay}

// setExpirationHeader sets the header that says when and by which rule an object will be removed, if it will.
func setExpirationHeader(r *request.Request, v *state.Version) {
	if d := lifecycleOf(r).Expiry(v.LifecycleFacts(), headerClock); d.Rule != "" {
		r.Writer.Header().Set(
			"X-Amz-Expiration",
			`expiry-date="`+d.At.Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(d.Rule)+`"`,
		)
	}
}

// setAbortionHeaders sets the headers that say when and by which rule an upload will be aborted, if it will.
func setAbortionHeaders(r *request.Request, u *state.Upload) {
	if d := lifecycleOf(r).Abortion(u.Key, u.Initiated, headerClock); d.Rule != "" {
		r.Writer.Header().Set("X-Amz-Abort-Date", d.At.Format(http.TimeFormat))
		r.Writer.Header().Set("X-Amz-Abort-Rule-Id", url.QueryEscape(d.Rule))
	}
}

// lifecycleOf returns the lifecycle rules of the request's bucket, or nil.
func lifecycleOf(r *request.Request) *lifecycle.Configuration {
	b, err := r.Bucket()
	if err != nil {
		return nil
	}
	return b.Lifecycle
}
