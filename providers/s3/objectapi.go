package s3

import (
	"context"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/providers/s3/internal/option"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// objectAPI has the requests that carry an object, a part or attributes. [rawclient.Client]
// implements it without the SDK, and sdkClient with the SDK.
type objectAPI interface {
	PutObject(context.Context, *awss3.PutObjectInput, ...func(*awss3.Options)) (*awss3.PutObjectOutput, error)
	UploadPart(context.Context, *awss3.UploadPartInput, ...func(*awss3.Options)) (*awss3.UploadPartOutput, error)
	GetObject(context.Context, *awss3.GetObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
	// HeadObject returns its result as an output of GetObject without a body.
	HeadObject(context.Context, *awss3.HeadObjectInput, ...func(*awss3.Options)) (*awss3.GetObjectOutput, error)
}

// objectAPI returns the raw client if it behaves like the SDK's client for requests with these
// options, or else the SDK's client.
func (b *bucket) objectAPI(ctx context.Context, native ...any) objectAPI {
	if b.account.rawTransport != nil && !option.HasFunctions(native) {
		// If there is an error, the SDK's client finds it, too, and reports it.
		endpoint, err := b.endpoint(ctx, "")
		if err == nil && endpoint.raw != nil {
			return endpoint.raw
		}
	}
	return sdkClient{b.account.client}
}

type sdkClient struct{ *awss3.Client }

// HeadObject sends a HeadObject, and returns the result as an output of GetObject, which is the type
// that objectAPI has for both requests.
func (c sdkClient) HeadObject(
	ctx context.Context, input *awss3.HeadObjectInput, opts ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	output, err := c.Client.HeadObject(ctx, input, opts...)
	if err != nil {
		return nil, err
	}
	return rawclient.HeadOutput(output), nil
}
