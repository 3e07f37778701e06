package s3

import (
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3/internal/option"
)

// checkNative returns an error if value is not an option of this package, or if the bucket does not
// support the option.
func (b *bucket) checkNative(value any) error {
	server := b.account.optionServer()
	// Only some options need TLS, so the endpoint is looked up when it is needed.
	server.HasTLS = func() (bool, error) {
		endpoint, err := b.ownEndpoint()
		if err != nil {
			return false, err
		}
		return endpoint.url.Scheme == "https" && !b.account.client.Options().EndpointOptions.DisableHTTPS, nil
	}
	return server.Check(value)
}

// optionServer returns the properties of the server on which options depend. HasTLS is not set.
func (a *account) optionServer() *option.Server {
	return &option.Server{
		Profile:         a.profile.Name,
		Hint:            a.featureHint(),
		IsAnonymous:     a.isAnonymous,
		HasKMS:          a.profile.KMS,
		HasCustomerKeys: a.profile.CustomerKeys,
		HasACLs:         a.profile.ObjectACLs,
	}
}

// customize applies the bucket's encryption and then the options of an operation to an input of the
// SDK. It fails if an option does not fit the request, or two options contradict each other.
func (a *account) customize(input any, native []any) error {
	return option.Apply(input, a.kms, native)
}

// Input is an input of the SDK that [WithRequest] can change.
type Input interface {
	awss3.PutObjectInput | awss3.CreateMultipartUploadInput | awss3.UploadPartInput | awss3.CompleteMultipartUploadInput |
		awss3.CopyObjectInput | awss3.UploadPartCopyInput | awss3.GetObjectInput | awss3.HeadObjectInput | awss3.DeleteObjectInput |
		awss3.GetObjectTaggingInput | awss3.PutObjectTaggingInput | awss3.PutObjectRetentionInput | awss3.PutObjectLegalHoldInput |
		awss3.RestoreObjectInput
}

// WithRequest calls a function before the bucket sends a request of the kind I. The function
// receives the SDK's input of that request. Use this option for features of S3 that this library
// does not have. The SDK sends requests with this option, which is slower for small objects.
//
//	bucket.Upload(ctx, "report.pdf", body, s3.WithRequest(func(in *awss3.PutObjectInput) {
//		in.WebsiteRedirectLocation = aws.String("/reports")
//	}))
//
// A small upload sends PutObject. A large upload sends CreateMultipartUpload, UploadPart and
// CompleteMultipartUpload. A copy sends CopyObject, or CreateMultipartUpload and UploadPartCopy.
// [storage.NewReaderAt] sends HeadObject and GetObject. Give one option for each kind of request
// that may be sent.
//
// An operation fails with Unsupported if it never sends a request of the kind I. An upload, a copy
// or a read begins with one of several requests. If this request has no option, but another of
// these requests has one, the operation fails with Unsupported, too. For example, a small upload
// begins with PutObject. It fails if only CreateMultipartUpload has an option. Signed URLs and
// forms send no request, so they always fail with this option.
//
// The function must not change the fields that the library sets itself: bucket, key, body, length,
// checksums, ranges and conditions. If a request is repeated, the function is called again. For
// parts and ranges, several goroutines call the function at the same time. With
// [storage.WithResume], a call in another process starts over. If the function is nil, the
// operation fails with InvalidArgument.
func WithRequest[I Input](change func(*I)) storage.NativeOption {
	return storage.WithNative(provider, option.NewRequest(change))
}

// WithACL gives the object a canned access control list, such as
// types.ObjectCannedACLBucketOwnerFullControl. An upload, a copy, and a signed upload can have it.
// A copy never has the source's list.
//
// The operation fails with InvalidArgument if acl is not one of Amazon's canned lists, or if
// [storage.WithPublicRead] is given too. It fails with Unsupported if the store lacks
// [storage.ObjectACLs], or the bucket has disabled its lists.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
func WithACL(acl types.ObjectCannedACL) storage.WriteOption {
	return storage.WithNative(provider, option.CannedACL(acl))
}

// A SignedOption adds a parameter or a header to a signed URL. [WithSignedParameter] and
// [WithSignedHeader] return it.
type SignedOption interface {
	storage.SignedUploadOption
	storage.SignedDownloadOption
	storage.SignedRemoveOption
}

// WithSignedParameter adds a parameter to the query of a signed URL. The holder of the URL cannot change or remove it.
// For example, response-cache-control sets a header of the response. A parameter that S3 does not know only appears in
// the server's log.
//
// Signing fails with InvalidArgument if the name does not begin with a lower-case letter, or if the package sets the
// parameter itself (versionId, x-amz-...). It fails with the same code if the parameter selects another operation of
// S3 (acl, tagging and the like). It also fails with this code if the URL would have the parameter twice. For
// example, [storage.WithStableFor] sets response-cache-control. SignedUploadForm fails with Unsupported.
func WithSignedParameter(name, value string) SignedOption {
	return storage.WithNative(provider, option.NewSignedParameter(name, value))
}

// WithSignedHeader adds a header to a signed URL. The client must send the header with this value,
// as [storage.SignedURL] describes. For example, Range limits which bytes the URL reads.
//
// Signing fails with InvalidArgument if the package, an HTTP client or a browser sets the header
// itself (Host, Content-Length, Referer, X-Amz-Date and the like). It fails with the same code if
// the header would turn an upload into a copy (X-Amz-Copy-Source), or if another option sets it. So
// it does if the value is not printable ASCII. SignedUploadForm fails with Unsupported.
func WithSignedHeader(name, value string) SignedOption {
	return storage.WithNative(provider, option.NewSignedHeader(name, value))
}
