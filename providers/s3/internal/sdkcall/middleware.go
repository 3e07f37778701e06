package sdkcall

import (
	"context"
	"net/http"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The ids of the SDK's middleware that this package changes.
const (
	signingID        = "Signing"
	inputChecksumID  = "AWSChecksum:ComputeInputPayloadChecksum"
	outputChecksumID = "AWSChecksum:ValidateOutputPayloadChecksum"
)

// WithoutValidation stops the SDK from computing the checksum of a download. The engine computes it,
// even for resumed and parallel reads.
func WithoutValidation(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		_, err := stack.Deserialize.Remove(outputChecksumID)
		return err
	})
}

// WithResponse calls observe with each response, even that of a failed request. If observe returns
// an error, a request that would have succeeded fails with that error.
func WithResponse(observe func(operation string, response *http.Response) error) func(*middleware.Stack) error {
	observer := &responseObserver{observe: observe}
	return func(stack *middleware.Stack) error { return stack.Deserialize.Add(observer, middleware.After) }
}

// A responseObserver is the middleware of WithResponse.
type responseObserver struct {
	observe func(operation string, response *http.Response) error
}

// ID returns the name of the middleware.
func (*responseObserver) ID() string { return "omnibucket:Response" }

// HandleDeserialize sends a request, and calls o.observe with the response, if there is one.
func (o *responseObserver) HandleDeserialize(
	ctx context.Context, input middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	output, metadata, err := next.HandleDeserialize(ctx, input)
	response, _ := output.RawResponse.(*smithyhttp.Response)
	if response == nil || response.Response == nil {
		return output, metadata, err // no response was received
	}
	observeErr := o.observe(middleware.GetOperationName(ctx), response.Response)
	if err == nil && observeErr != nil {
		_ = response.Body.Close()
		return output, metadata, observeErr
	}
	return output, metadata, err
}

// WithContentMD5 sends a body with its MD5, in place of the checksum that a middleware of the SDK
// would add.
func WithContentMD5(stack *middleware.Stack) error {
	if _, exists := stack.Finalize.Get(inputChecksumID); exists {
		if _, err := stack.Finalize.Remove(inputChecksumID); err != nil {
			return err
		}
	}
	return smithyhttp.AddContentChecksumMiddleware(stack)
}

// WithUnsignedEncoding sends "Accept-Encoding: gzip" without signing it, so that the server does
// not decompress stored content. One middleware removes the header before the SDK signs the
// request, and another sets it after that.
func WithUnsignedEncoding(stack *middleware.Stack) error {
	hide := &encodingSetter{id: "omnibucket:HideEncoding"}
	if err := stack.Finalize.Insert(hide, signingID, middleware.Before); err != nil {
		return err
	}
	show := &encodingSetter{id: "omnibucket:ShowEncoding", encoding: "gzip"}
	return stack.Finalize.Insert(show, signingID, middleware.After)
}

// An encodingSetter is a middleware that sets the header Accept-Encoding to encoding, or removes it if
// encoding is "".
type encodingSetter struct {
	id, encoding string
}

// ID returns the name of the middleware.
func (s *encodingSetter) ID() string { return s.id }

// HandleFinalize sets or removes the header of a request.
func (s *encodingSetter) HandleFinalize(
	ctx context.Context, input middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	const header = "Accept-Encoding"
	if request, ok := input.Request.(*smithyhttp.Request); ok {
		request.Header.Del(header)
		if s.encoding != "" {
			request.Header.Set(header, s.encoding)
		}
	}
	return next.HandleFinalize(ctx, input)
}

// CloneClient returns a copy of a client with changed options. The copy has its own cache of
// sessions for directory buckets. Otherwise the SDK would send the requests for new sessions with
// the client that was made last.
func CloneClient(c *awss3.Client, change func(*awss3.Options)) *awss3.Client {
	o := c.Options()
	o.ExpressCredentials = nil
	return awss3.New(o, change)
}
