package s3

import (
	"context"
	"net/http"
	"reflect"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

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

// objectAPI returns the raw client if it is known to behave like the SDK's client for requests with
// these options. Otherwise it returns the SDK's client.
func (b *bucket) objectAPI(ctx context.Context, native ...any) objectAPI {
	if b.account.rawTransport != nil && !hasFunctions(native) {
		endpoint, err := b.endpoint(ctx, "")
		if err == nil && endpoint.raw != nil { // if err is not nil, the SDK will report it
			return endpoint.raw
		}
	}
	return sdkClient{b.account.client}
}

// canUseRawClient reports whether a raw client can do what the SDK would. It requires that the
// caller's settings do not change the requests between the SDK and the network.
func canUseRawClient(c Config, s *awss3.Options) bool {
	//lint:ignore SA1019 a configuration may still have the deprecated EndpointResolver
	resolver := s.EndpointResolver
	if c.Client != nil || c.AWS != nil && len(c.AWS.ServiceOptions) > 0 { // the options may have changed anything
		return false
	}
	if len(s.APIOptions) > 0 || resolver != nil || s.ClientLogMode != 0 { // a raw client ignores all of these
		return false
	}
	for _, interceptors := range reflect.ValueOf(s.Interceptors).Fields() {
		if interceptors.Len() > 0 {
			return false
		}
	}
	return len(s.AuthSchemePreference) == 0 && s.AppID == "" && !s.DisableClockSkewCorrection
}

func (a *account) rawClient(e *bucketEndpoint) *rawclient.Client {
	c := &rawclient.Client{
		SDK:              a.client,
		Transport:        a.rawTransport,
		URL:              e.url,
		Host:             e.host,
		Path:             e.path,
		Region:           a.region,
		Keys:             a.keys,
		Now:              a.clock.time,
		Owner:            a.expectedOwner,
		UnsignedEncoding: a.profile.UnsignedEncoding,
		See: func(response *http.Response) {
			a.server.observe(response.Header)
			a.renewer.observe(response)
			a.clock.observe(response)
		},
		Check: func(response *http.Response) error {
			isRead := response.Request.Method != http.MethodPut
			if want := (responseRules{tag: true}); isRead && want.isMetBy(response, false) || !isRead && hasEvidence(response) {
				return nil
			}
			return noEvidence()
		},
	}
	if !a.anonymous {
		c.Credentials = a.credentials
	}
	if a.requesterPays {
		c.Payer = requester
	}
	if a.sendsMD5(e) {
		c.ContentMD5 = contentMD5
	}
	return c
}

type sdkClient struct{ *awss3.Client }

// HeadObject returns the SDK's result as an output of GetObject.
func (c sdkClient) HeadObject(
	ctx context.Context, input *awss3.HeadObjectInput, opts ...func(*awss3.Options),
) (*awss3.GetObjectOutput, error) {
	output, err := c.Client.HeadObject(ctx, input, opts...)
	if err != nil {
		return nil, err
	}
	return rawclient.HeadOutput(output), nil
}
