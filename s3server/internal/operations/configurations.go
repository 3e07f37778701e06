package s3server

import (
	"encoding/xml"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

type accelerateConfiguration struct {
	XMLName xml.Name `xml:"AccelerateConfiguration"`
	Status  string   `xml:",omitempty"`
}

// putAcceleration stores the status of transfer acceleration. The status has no effect, because the
// server has no edge locations.
func putAcceleration(r *request) error {
	var asked accelerateConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.Status != state.Enabled && asked.Status != state.Suspended {
		return s3error.New("MalformedXML")
	}
	if strings.Contains(r.target.bucket, ".") {
		return s3error.New("InvalidRequest").
			WithMessage("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Acceleration = asked.Status
		return nil
	})
}

// noConfiguration responds with NoSuchConfiguration to a request for a configuration by its id. It
// is for analytics, inventory, metrics and intelligent tiering, which this server does not have.
// AWS sends this response for a new bucket. A request to write such a configuration fails with
// NotImplemented.
var noConfiguration = show("", func(*state.Bucket) (any, error) { return nil, s3error.New("NoSuchConfiguration") })

// listNothing returns a handler that responds with an empty list of configurations, in an XML
// element with this name.
func listNothing(name string) handler {
	return show(name, func(*state.Bucket) (any, error) { return struct{ IsTruncated bool }{}, nil })
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

// putLogging stores the logging configuration of a bucket. The server writes no logs. No client can
// rely on a log, because AWS delivers logs within hours and may lose some.
func putLogging(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	var asked loggingStatus
	if err := xmldoc.Parse(document, &asked); err != nil {
		return err
	}
	if target := asked.LoggingEnabled; target == nil {
		document = nil
	} else if target.TargetBucket == "" || target.TargetPrefix == nil {
		return s3error.New("MalformedXML")
	} else if err := checkLogTarget(r, target.TargetBucket); err != nil {
		return err
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Logging = document
		return nil
	})
}

// checkLogTarget fails unless the bucket with this name exists and has the same owner as the
// request's bucket.
func checkLogTarget(r *request, name string) error {
	target, err := r.server.store.Bucket(r.in.Context(), name)
	if err != nil {
		return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name)
	}
	b, err := r.bucket()
	if err == nil && target.Account != b.Account {
		err = s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name).
			WithMessage("The owner for the bucket to be logged and the target bucket must be the same.")
	}
	return err
}

func getLogging(r *request) error {
	b, err := r.bucket()
	if err != nil {
		return err
	}
	if b.Logging == nil {
		return r.writeXML("BucketLoggingStatus", loggingStatus{})
	}
	r.sendDocument("application/xml", b.Logging)
	return nil
}

const payerRequester, payerOwner = "Requester", "BucketOwner"

type requestPayment struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Payer   string
}

func (p *requestPayment) Check() error {
	if p.Payer != payerRequester && p.Payer != payerOwner {
		return s3error.New("MalformedXML")
	}
	return nil
}

// payerHeader is the header, or the field of a form, with which a requester agrees to pay.
const payerHeader, requester = "x-amz-request-payer", "requester"

// checkPayer refuses a request if its sender must pay for it and has not agreed to pay. The
// bucket's owner need not agree.
func checkPayer(r *request, bucket string, header http.Header) error {
	if bucket == "" {
		return nil
	}
	b, err := r.server.store.Bucket(r.in.Context(), bucket)
	if err != nil || b.Payer != payerRequester || r.caller.account == b.Account {
		return nil // if the bucket is missing, the operation reports it
	}
	agrees := header.Get(payerHeader) == requester || r.query.Get(payerHeader) == requester
	if !agrees || r.caller.anonymous { // an anonymous requester could not be charged
		return s3error.New("AccessDenied")
	}
	r.w.Header().Set("X-Amz-Request-Charged", requester)
	return nil
}
