package s3

import (
	"context"
	"fmt"
	"strings"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// The headers that name the account which must own a bucket. A signed URL has the first one in
// its query, in lower case, as the SDK's presigner does.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
const (
	ownerHeader       = "X-Amz-Expected-Bucket-Owner"
	ownerQuery        = "x-amz-expected-bucket-owner"
	sourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
)

// checkOwner checks Config.ExpectedBucketOwner.
func (a *account) checkOwner() error {
	owner := a.expectedOwner
	switch {
	case owner == "":
		return nil
	case !a.profile.BucketOwners:
		return &storage.Error{
			Code: storage.Unsupported, Err: fmt.Errorf("Config.ExpectedBucketOwner needs a server that checks it, and profile %s is not known to", a.profile.Name),
			Hint: "set BucketOwners in Config.Profile if the server is known to check the owner: others ignore the request",
		}
	case a.amazon() && !isAccountID(owner):
		return argument.Invalid("Config.ExpectedBucketOwner", "must be an account id of 12 digits", "")
	case strings.ContainsFunc(owner, func(c rune) bool { return c <= ' ' || c > '~' }):
		return argument.Invalid("Config.ExpectedBucketOwner", "must be visible ASCII characters", "")
	}
	return nil
}

func isAccountID(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}

// withExpectedOwner adds the headers to all requests for a bucket that exists. The source of a copy
// has the same owner: see sharedIdentity.
func withExpectedOwner(owner string) func(*middleware.Stack) error {
	set := middleware.BuildMiddlewareFunc("omnibucket:ExpectedOwner", func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (middleware.BuildOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		operation := awsmiddleware.GetOperationName(ctx)
		switch {
		case !ok, operation == "CreateBucket", operation == "ListBuckets", operation == "CreateSession":
		default:
			request.Header.Set(ownerHeader, owner)
			if operation == "CopyObject" || operation == "UploadPartCopy" {
				request.Header.Set(sourceOwnerHeader, owner)
			}
		}
		return next.HandleBuild(ctx, in)
	})
	return func(stack *middleware.Stack) error { return stack.Build.Add(set, middleware.After) }
}
