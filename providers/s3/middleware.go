package s3

import (
	"context"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// The SDK's steps that are changed, by the names that it gives them.
const (
	stepSigning        = "Signing"
	stepInputChecksum  = "AWSChecksum:ComputeInputPayloadChecksum"
	stepOutputChecksum = "AWSChecksum:ValidateOutputPayloadChecksum"
)

// withoutValidation has the SDK not hash what is read: the core does, once,
// over resumed and parallel reads too.
func withoutValidation(o *awss3.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		_, err := stack.Deserialize.Remove(stepOutputChecksum)
		return err
	})
}

// withUnsignedPayload has a body go out unhashed: what guards it is its
// checksum, which the signature covers. SHA-256 takes longer than the transfer.
func withUnsignedPayload(stack *middleware.Stack) error {
	return v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack)
}

// withContentMD5 has a body go out with its MD5, and with no other sum.
func withContentMD5(stack *middleware.Stack) error {
	if _, there := stack.Finalize.Get(stepInputChecksum); there {
		if _, err := stack.Finalize.Remove(stepInputChecksum); err != nil {
			return err
		}
	}
	return smithyhttp.AddContentChecksumMiddleware(stack)
}

// withUnsignedEncoding takes Accept-Encoding out of the signature, and has the
// server send what is stored: "gzip" keeps it from unpacking what was packed.
func withUnsignedEncoding(stack *middleware.Stack) error {
	const header = "Accept-Encoding"
	set := func(in middleware.FinalizeInput, value string) {
		if request, ok := in.Request.(*smithyhttp.Request); ok {
			request.Header.Del(header)
			if value != "" {
				request.Header.Set(header, value)
			}
		}
	}
	step := func(id, value string) middleware.FinalizeMiddleware {
		return middleware.FinalizeMiddlewareFunc(id, func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			set(in, value)
			return next.HandleFinalize(ctx, in)
		})
	}
	if err := stack.Finalize.Insert(step("omnibucket:HideEncoding", ""), stepSigning, middleware.Before); err != nil {
		return err
	}
	return stack.Finalize.Insert(step("omnibucket:ShowEncoding", "gzip"), stepSigning, middleware.After)
}
