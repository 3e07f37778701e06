package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
)

// A login page, a proxy or another program may answer any request with status 200. A response is
// a success only if it carries what an S3 server sends: an ETag, the id of an upload, a result for
// each key, the root element of a listing. A response that has none of these has a header of the
// protocol.

// noEvidence returns the error for a response that no S3 server sends. A write may have reached
// one before the response was replaced.
func noEvidence(write bool) error {
	return &storage.Error{
		Code: storage.Unavailable, Retryable: true, Unknown: write, Err: errors.New("the response is not that of an S3 server"),
		Hint: "the endpoint answers like a web page: check endpoint=",
	}
}

// hasEvidence reports whether an S3 server made a response, by its header. All of them send an
// ETag with an object. Amazon, MinIO, Ceph, B2, SeaweedFS and versitygw also send x-amz-request-id;
// Google has headers of its own. A login page has no reason to send status 204.
func hasEvidence(response *http.Response) bool {
	h := response.Header
	return response.StatusCode == http.StatusNoContent || h.Get(etagHeader) != "" || hasOwnHeader(h)
}

// hasOwnHeader reports whether an S3 server made a response, if an ETag proves nothing: nginx sends
// one with its error pages.
func hasOwnHeader(h http.Header) bool {
	if kindOf(h) != nil {
		return true
	}
	for name := range h {
		for _, prefix := range [...]string{"X-Amz-", "X-Rgw-", "X-Goog-", "X-Guploader-"} {
			if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, "X-Amz-Cf-") { // CloudFront's, also with a web page
				return true
			}
		}
	}
	return false
}

// evidenceOf has the requests whose success may have no document, and whether they write.
var evidenceOf = map[string]bool{
	"GetObject": false, "HeadObject": false, "GetObjectTagging": false,
	"DeleteObject": true, "PutObjectTagging": true, "PutObjectRetention": true, "PutObjectLegalHold": true, "RestoreObject": true,
}

// withEvidence refuses successful responses without evidence, before the SDK reads them.
func withEvidence(stack *middleware.Stack) error {
	check := middleware.DeserializeMiddlewareFunc("omnibucket:Evidence", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		write, asked := evidenceOf[middleware.GetOperationName(ctx)]
		response, _ := out.RawResponse.(*smithyhttp.Response)
		if err == nil && asked && response != nil && response.Response != nil && isSuccess(response.StatusCode) && !hasEvidence(response.Response) {
			_ = response.Body.Close()
			return out, metadata, noEvidence(write)
		}
		return out, metadata, err
	})
	return stack.Deserialize.Add(check, middleware.After)
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }
