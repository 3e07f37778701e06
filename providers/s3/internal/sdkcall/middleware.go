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
	watch := middleware.DeserializeMiddlewareFunc("omnibucket:Response", responseObserver(observe).watch)
	return func(stack *middleware.Stack) error { return stack.Deserialize.Add(watch, middleware.After) }
}

// A responseObserver is called with each response.
type responseObserver func(operation string, response *http.Response) error

// watch is a middleware of the SDK that sends a request, and calls observe with the response, if there
// is one.
func (observe responseObserver) watch(
	ctx context.Context, input middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	output, metadata, err := next.HandleDeserialize(ctx, input)
	response, _ := output.RawResponse.(*smithyhttp.Response)
	if response == nil || response.Response == nil {
		return output, metadata, err // no response was received
	}
	observeErr := observe(middleware.GetOperationName(ctx), response.Response)
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
	if err := stack.Finalize.Insert(hideEncoding, signingID, middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(showEncoding, signingID, middleware.After)
}

var (
	hideEncoding = middleware.FinalizeMiddlewareFunc("omnibucket:HideEncoding", encoding("").set)
	showEncoding = middleware.FinalizeMiddlewareFunc("omnibucket:ShowEncoding", encoding("gzip").set)
)

// An encoding is a value of the header Accept-Encoding, or "" for none.
type encoding string

// set is a middleware of the SDK that sets the header of a request to e, or removes it if e is "".
func (e encoding) set(
	ctx context.Context, input middleware.FinalizeInput, next middleware.FinalizeHandler,
) (middleware.FinalizeOutput, middleware.Metadata, error) {
	const header = "Accept-Encoding"
	if request, ok := input.Request.(*smithyhttp.Request); ok {
		request.Header.Del(header)
		if e != "" {
			request.Header.Set(header, string(e))
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
