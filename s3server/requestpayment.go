package s3server

import (
	"encoding/xml"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const payerRequester = "Requester"

type requestPayment struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Payer   string
	Unknown xmldoc.Unknown `xml:",any"`
}

func getRequestPayment(r *request) error {
	response := requestPayment{Xmlns: xmldoc.Namespace, Payer: "BucketOwner"}
	err := r.view(func(b *bucket) error {
		if b.payer != "" {
			response.Payer = b.payer
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putRequestPayment(r *request) error {
	var asked requestPayment
	if err := r.readXML(&asked); err != nil {
		return err
	}
	if asked.Payer != payerRequester && asked.Payer != "BucketOwner" || len(asked.Unknown) > 0 {
		return s3error.New("MalformedXML")
	}
	return r.setting(http.StatusOK, func(b *bucket) error {
		b.payer = asked.Payer
		return nil
	})
}

// payerHeader is the header, or the field of a form, with which a requester agrees to pay.
const payerHeader, requester = "x-amz-request-payer", "requester"

// checkPayer refuses a request that does not agree to pay, if the requester has to. The owner of a
// bucket pays without being asked.
func checkPayer(r *request, header http.Header) error {
	agrees := header.Get(payerHeader) == requester || r.query.Get(payerHeader) == requester
	must := false
	if r.target.bucket != "" {
		_ = r.view(func(b *bucket) error { // a bucket that is missing is reported by the operation
			must = b.payer == payerRequester && r.caller.account != b.account
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
