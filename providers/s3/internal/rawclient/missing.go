package rawclient

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// missingObjectError returns the SDK's error for a HeadObject that finds no object. The SDK itself
// takes four times as long to make this error, which programs that look for objects often get.
func missingObjectError(response *http.Response) error {
	_ = response.Body.Close()
	h := response.Header
	return &smithy.OperationError{ServiceID: awss3.ServiceID, OperationName: "HeadObject", Err: &responseError{
		ResponseError: &awshttp.ResponseError{
			ResponseError: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: response},
				Err:      &types.NotFound{},
			},
			RequestID: h.Get("X-Amz-Request-Id"),
		},
		hostID: h.Get("X-Amz-Id-2"),
	}}
}

// A responseError is the error of a response of S3. It implements [awss3.ResponseError].
type responseError struct {
	*awshttp.ResponseError
	hostID string
}

var _ awss3.ResponseError = (*responseError)(nil)

func (e *responseError) ServiceHostID() string { return e.hostID }

// Error returns the text that the SDK's own error has for a response with a HostID.
func (e *responseError) Error() string {
	return fmt.Sprintf(
		"https response error StatusCode: %d, RequestID: %s, HostID: %s, %v",
		e.HTTPStatusCode(), e.RequestID, e.hostID, e.Err,
	)
}

// As finds the embedded error, which Unwrap skips.
func (e *responseError) As(target any) bool { return errors.As(e.ResponseError, target) }
