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

func getAcceleration(b *state.Bucket) (any, error) {
	return accelerateConfiguration{Status: b.Acceleration}, nil
}

// putAcceleration keeps the status. It changes nothing else: a server on a loopback port has no
// edge locations.
func putAcceleration(r *request) error {
	var asked accelerateConfiguration
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.Status != state.Enabled && asked.Status != state.Suspended {
		return s3error.New("MalformedXML")
	}
	if strings.Contains(r.target.bucket, ".") {
		return s3error.New("InvalidRequest").WithMessage("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Acceleration = asked.Status
		return nil
	})
}

// getReplication is the response for a configuration that no bucket of this server has. So are
// those for analytics, inventory, metrics and intelligent tiering: AWS's for a new bucket. A write
// is NotImplemented.
func getReplication(r *request) error {
	return r.view(func(b *state.Bucket) error {
		return s3error.New("ReplicationConfigurationNotFoundError", "BucketName", b.Name)
	})
}

// noConfiguration is the response for one configuration by its id.
func noConfiguration(r *request) error {
	return r.view(func(*state.Bucket) error { return s3error.New("NoSuchConfiguration") })
}

// listNothing returns a handler that lists no configurations, in an element with this name.
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

// putLogging keeps the configuration. The server writes no log. AWS delivers logs on a best-effort
// basis within hours, so that no client can rely on one.
func putLogging(r *request) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	var asked loggingStatus
	if err := xmldoc.Parse(document, &asked); err != nil {
		return err
	}
	to := asked.LoggingEnabled
	switch {
	case to != nil && (to.TargetBucket == "" || to.TargetPrefix == nil):
		return s3error.New("MalformedXML")
	case to == nil:
		document = nil
	}
	if to != nil {
		if err := checkLogTarget(r, to.TargetBucket); err != nil {
			return err
		}
	}
	return r.setting(http.StatusOK, func(b *state.Bucket) error {
		b.Logging = document
		return nil
	})
}

// checkLogTarget fails unless a bucket of the same owner has this name.
func checkLogTarget(r *request, name string) error {
	target, err := r.server.store.Bucket(r.in.Context(), name)
	if err != nil {
		return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name)
	}
	return r.view(func(b *state.Bucket) error {
		if target.Account != b.Account {
			return s3error.New("InvalidTargetBucketForLogging", "TargetBucket", name).
				WithMessage("The owner for the bucket to be logged and the target bucket must be the same.")
		}
		return nil
	})
}

func getLogging(r *request) error {
	document := []byte(xml.Header + `<BucketLoggingStatus xmlns="` + xmldoc.Namespace + `"/>`)
	err := r.view(func(b *state.Bucket) error {
		if b.Logging != nil {
			document = b.Logging
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.w.Header().Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}

const payerRequester = "Requester"

type requestPayment struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Payer   string
}

func getRequestPayment(b *state.Bucket) (any, error) {
	response := requestPayment{Payer: "BucketOwner"}
	if b.Payer != "" {
		response.Payer = b.Payer
	}
	return response, nil
}

func (p *requestPayment) check() error {
	if p.Payer != payerRequester && p.Payer != "BucketOwner" {
		return s3error.New("MalformedXML")
	}
	return nil
}

// payerHeader is the header, or the field of a form, with which a requester agrees to pay.
const payerHeader, requester = "x-amz-request-payer", "requester"

// checkPayer refuses a request that does not agree to pay, if the requester has to. The owner of a
// bucket pays without being asked.
func checkPayer(r *request, header http.Header) error {
	agrees := header.Get(payerHeader) == requester || r.query.Get(payerHeader) == requester
	must := false
	if r.target.bucket != "" {
		_ = r.view(func(b *state.Bucket) error { // a bucket that is missing is reported by the operation
			must = b.Payer == payerRequester && r.caller.account != b.Account
			agrees = agrees && !r.caller.anonymous // nobody could be charged
			return nil
		})
	}
	if must && !agrees {
		return s3error.New("AccessDenied")
	}
	if must {
		r.w.Header().Set("X-Amz-Request-Charged", requester)
	}
	return nil
}
