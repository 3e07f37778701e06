package sdkcall

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// These headers name the account that must own a bucket. A signed URL has the first header as a
// query parameter, in lower case, as in the URLs of the SDK.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
const (
	ownerHeader       = rawclient.OwnerHeader
	OwnerQuery        = "x-amz-expected-bucket-owner"
	sourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
)

// WithExpectedOwner sends the expected owner of the bucket with every request for an existing
// bucket, and also for the source bucket of a copy.
func WithExpectedOwner(owner string) func(*middleware.Stack) error {
	setOwner := middleware.BuildMiddlewareFunc("omnibucket:ExpectedOwner", expectedOwner(owner).set)
	// The headers must be set before the SDK signs the request.
	return func(stack *middleware.Stack) error { return stack.Build.Add(setOwner, middleware.After) }
}

// An expectedOwner is the id of the account that must own a bucket.
type expectedOwner string

// set is a middleware of the SDK that sets the headers with the owner, as far as the operation of the
// request takes them.
func (owner expectedOwner) set(
	ctx context.Context, input middleware.BuildInput, next middleware.BuildHandler,
) (middleware.BuildOutput, middleware.Metadata, error) {
	request, ok := input.Request.(*smithyhttp.Request)
	if !ok {
		return next.HandleBuild(ctx, input)
	}
	switch awsmiddleware.GetOperationName(ctx) {
	case "CreateBucket", "ListBuckets", "CreateSession":
		// These requests take no expected owner.
	case "CopyObject", "UploadPartCopy":
		request.Header.Set(ownerHeader, string(owner))
		request.Header.Set(sourceOwnerHeader, string(owner))
	default:
		request.Header.Set(ownerHeader, string(owner))
	}
	return next.HandleBuild(ctx, input)
}

// A request to a bucket with "requester pays" needs a header, with which the caller agrees to pay.
// A signed URL has this header as a query parameter, in lower case.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ObjectsinRequesterPaysBuckets.html
const (
	PayerQuery = "x-amz-request-payer"
	Requester  = "requester"
)
