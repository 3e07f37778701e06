package awskms

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage/layers/encrypt/internal/kms"
)

// A credentials returns the credentials of another provider, which it wraps. If there are none, the
// error says so. Without this type, the SDK would only report that the request failed.
type credentials struct{ from aws.CredentialsProvider }

func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.from.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return creds, err
	}
	response, responded := errors.AsType[*smithyhttp.ResponseError](err)
	passes := responded && kms.MayPass(response.HTTPStatusCode())
	return creds, kms.NoCredentials(err, passes, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
}
