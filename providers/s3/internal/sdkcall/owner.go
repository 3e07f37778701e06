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
	setter := &ownerSetter{owner: owner}
	// The headers must be set before the SDK signs the request.
	return func(stack *middleware.Stack) error { return stack.Build.Add(setter, middleware.After) }
}

// An ownerSetter is the middleware of WithExpectedOwner.
type ownerSetter struct {
	owner string
}

// ID returns the name of the middleware.
func (*ownerSetter) ID() string { return "omnibucket:ExpectedOwner" }

// HandleBuild sets the headers with the owner, as far as the operation of the request takes them.
func (s *ownerSetter) HandleBuild(
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
		request.Header.Set(ownerHeader, s.owner)
		request.Header.Set(sourceOwnerHeader, s.owner)
	default:
		request.Header.Set(ownerHeader, s.owner)
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
