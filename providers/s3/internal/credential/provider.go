package credential

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// FromMetadata reports whether credentials come from a metadata service of Amazon's: that
// of the instance or of the container.
func FromMetadata(p aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(p, (*ec2rolecreds.Provider)(nil)) ||
		aws.IsCredentialsProvider(p, (*endpointcreds.Provider)(nil))
}

// An Empty is a provider without credentials. It takes the place of Amazon's metadata service
// if the server is not Amazon's.
type Empty struct{ Hint string }

// Retrieve fails with Unauthenticated.
func (e Empty) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, &storage.Error{Code: storage.Unauthenticated, Hint: e.Hint}
}

// An Errors is a provider of credentials. It returns the credentials of another provider,
// and translates the errors of that provider. Without the translation, the SDK would only report
// that the request failed.
type Errors struct {
	Provider aws.CredentialsProvider
	Hint     string // hint if there are no credentials
}

// Retrieve returns the credentials of the provider. If it fails, the error is Unavailable if a
// later call may succeed, or else Unauthenticated.
func (e Errors) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := e.Provider.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return c, err
	}
	if isTemporary(err) {
		return c, &storage.Error{
			Code:      storage.Unavailable,
			Retryable: true,
			Err:       err,
			Hint:      "check the service that provides the credentials: it did not respond",
		}
	}
	return c, &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: e.Hint}
}

// isTemporary reports whether retrieving credentials may succeed later, because the service that
// provides them failed or did not respond. A missing response of the metadata service for instances
// is not temporary, because most machines have no such service.
func isTemporary(err error) bool {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	hasResponse := ok && response.Response != nil && response.Response.Response != nil
	if hasResponse {
		return sdkerror.IsRetryable(sdkerror.CodeFromStatus(response.HTTPStatusCode()))
	}
	if call, ok := errors.AsType[*smithy.OperationError](err); ok && call.Service() == imds.ServiceID {
		return false
	}
	return s3error.IsUnsent(err)
}
