package operations

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type accelerateConfiguration struct {
	XMLName xml.Name `xml:"AccelerateConfiguration"`
	Status  string   `xml:",omitempty"`
}

// putAcceleration stores the status of transfer acceleration, which has no effect on this server.
func putAcceleration(r *request.Request) error {
	var doc accelerateConfiguration
	if err := r.ReadXML(&doc); err != nil {
		return err
	}
	if doc.Status != state.Enabled && doc.Status != state.Suspended {
		return s3error.New("MalformedXML")
	}
	if strings.Contains(r.Target.Bucket, ".") {
		return s3error.New("InvalidRequest").
			WithMessage("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		b.Acceleration = doc.Status
		return nil
	})
}

// noConfiguration responds with NoSuchConfiguration to a request for a configuration by its id. It
// is for analytics, inventory, metrics and intelligent tiering, which this server does not have.
// AWS sends this response for a new bucket. A request to write such a configuration fails with
// NotImplemented.
var noConfiguration = getSetting("", func(*state.Bucket) (any, error) { return nil, s3error.New("NoSuchConfiguration") })

// listNothing returns a handler that responds with an empty list of configurations, in an XML
// element with this name.
func listNothing(name string) handler {
	return getSetting(name, func(*state.Bucket) (any, error) { return struct{ IsTruncated bool }{}, nil })
}

type loggingStatus struct {
	XMLName        xml.Name `xml:"BucketLoggingStatus"`
	LoggingEnabled *struct {
		TargetBucket          string
		TargetPrefix          *string
		TargetGrants          *struct{}
		TargetObjectKeyFormat *struct{}
	}
}

// putLogging stores the logging configuration of a bucket, or removes it with an empty one. The server writes no logs.
// No client can rely on them, because AWS delivers logs late and may lose some.
func putLogging(r *request.Request) error {
	document, err := r.ReadDocument()
	if err != nil {
		return err
	}
	var doc loggingStatus
	if err := xmldoc.Parse(document, &doc); err != nil {
		return err
	}

	target := doc.LoggingEnabled
	if target != nil {
		if target.TargetBucket == "" || target.TargetPrefix == nil {
			return s3error.New("MalformedXML")
		}
		if err := checkLogTarget(r, target.TargetBucket); err != nil {
			return err
		}
	}

	return changeSettings(r, http.StatusOK, func(b *state.Bucket) error {
		// Without a target, the request turns logging off.
		b.Logging = nil
		if target != nil {
			b.Logging = document
		}
		return nil
	})
}

// checkLogTarget fails unless the bucket with this name exists and has the owner of the request's bucket.
func checkLogTarget(r *request.Request, name string) error {
	target, err := r.Server.Store.Bucket(r.HTTP.Context(), name)
	if err != nil {
		return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name)
	}

	b, err := r.Bucket()
	if err != nil {
		return err
	}
	if target.Account != b.Account {
		return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name).
			WithMessage("The owner for the bucket to be logged and the target bucket must be the same.")
	}
	return nil
}

// getLogging responds with the logging configuration of the bucket, which is empty if there is none.
func getLogging(r *request.Request) error {
	b, err := r.Bucket()
	if err != nil {
		return err
	}
	if b.Logging == nil {
		return r.WriteXML("BucketLoggingStatus", loggingStatus{})
	}
	r.SendDocument("application/xml", b.Logging)
	return nil
}

const payerOwner = "BucketOwner"

type requestPayment struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Payer   string
}

// Check fails if the payer is neither the requester nor the owner of the bucket.
func (p *requestPayment) Check() error {
	if p.Payer != access.PayerRequester && p.Payer != payerOwner {
		return s3error.New("MalformedXML")
	}
	return nil
}
