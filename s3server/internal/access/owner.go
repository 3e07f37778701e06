package access

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// CheckOwner fails if the account that owns the bucket is not the one that the request expects in
// x-amz-expected-bucket-owner.
func CheckOwner(r *request.Request, h http.Header) error {
	const name = "x-amz-expected-bucket-owner"
	inHeader := h.Get(name)
	inQuery := r.Query.Get(name)
	if inHeader == "" && inQuery == "" {
		return nil
	}
	if r.Target.Bucket == "" {
		// A request without a bucket has no owner to check.
		return nil
	}

	b, err := r.Bucket()
	if err != nil {
		return err
	}
	return b.CheckOwner(inHeader, inQuery)
}

// PayerRequester is the payer of a bucket whose requesters pay.
const PayerRequester = "Requester"

// payerHeader is the header, or the field of a form, with which a requester agrees to pay.
const payerHeader, requester = "x-amz-request-payer", "requester"

// CheckPayer fails if the sender of a request must pay for it and has not agreed to, unless it owns the bucket.
func CheckPayer(r *request.Request, bucket string, header http.Header) error {
	if bucket == "" {
		return nil
	}
	b, err := r.Server.Store.Bucket(r.HTTP.Context(), bucket)
	if err != nil {
		// The bucket may be missing, which the operation reports.
		return nil
	}
	if b.Payer != PayerRequester || r.Caller.Account == b.Account {
		return nil
	}

	// An anonymous requester could not be charged, even if it agrees.
	agrees := header.Get(payerHeader) == requester || r.Query.Get(payerHeader) == requester
	if !agrees || r.Caller.Anonymous {
		return s3error.New("AccessDenied")
	}
	r.Writer.Header().Set("X-Amz-Request-Charged", requester)
	return nil
}
