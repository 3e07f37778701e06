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
type credentials struct{ provider aws.CredentialsProvider }

// Retrieve returns the credentials of the wrapped provider. If there are none, the error says which
// ones to set. It implements [aws.CredentialsProvider].
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := c.provider.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return creds, err
	}
	respErr, hasResponse := errors.AsType[*smithyhttp.ResponseError](err)
	isTemporary := hasResponse && kms.IsTemporaryStatus(respErr.HTTPStatusCode())
	return creds, kms.NoCredentials(err, isTemporary, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
}
