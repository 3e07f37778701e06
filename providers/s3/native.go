package s3

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/textproto"
	"reflect"
	"slices"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/customerkey"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

type nativeOption interface {
	driver.Fingerprinter
	// check returns an error if the bucket does not support the option.
	check(b *bucket) error
	// apply sets the fields of an input of the SDK for the option.
	apply(input any) error
}

// checkNative returns an error if value is not an option of this package, or if the bucket does not
// support the option. The driver returns checkNative as Description.CheckNative.
func (b *bucket) checkNative(value any) error {
	switch o := value.(type) {
	case *customerkey.Key:
		return b.checkCustomerKey(o)
	case nativeOption:
		return o.check(b)
	}
	return errNotOurs()
}

func errNotOurs() error {
	return &storage.Error{Code: storage.Unsupported, Hint: "use the options of package s3"}
}

// customize applies the bucket's encryption and then the options of an operation to an input of the
// SDK. It fails if an option does not fit the request, or two options contradict each other.
func (a *account) customize(input any, native []any) error {
	if a.kms == nil && len(native) == 0 {
		return nil
	}
	if a.kms != nil && customerkey.In(native) == nil {
		if err := a.kms.apply(input); err != nil {
			return err
		}
	}
	for _, value := range native {
		err := errNotOurs()
		switch o := value.(type) {
		case *customerkey.Key:
			err = applyCustomerKey(o, input)
		case nativeOption:
			err = o.apply(input)
		}
		if err != nil {
			return err
		}
	}
	return checkFunctions(input, native)
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
	return storage.WithNative(provider, &requestOption[I]{change: change, id: rand.Text()})
}

type requestOption[I Input] struct {
	change func(*I)
	id     string
}

func (o *requestOption[I]) check(*bucket) error {
	if o.change == nil {
		return argument.Invalid("WithRequest", "must not be nil", "")
	}
	return nil
}

func (o *requestOption[I]) apply(input any) error {
	if sdkInput, ok := input.(*I); ok {
		o.change(sdkInput)
	}
	return nil
}

// Fingerprint returns a random text. So no option in another process equals this option. Functions
// in different processes cannot be compared.
func (o *requestOption[I]) Fingerprint() string { return o.id }

func (*requestOption[I]) target() reflect.Type { return reflect.TypeFor[I]() }

// Every requestOption implements this interface, whatever its type parameter is.
type function interface{ target() reflect.Type }

// hasFunctions reports whether native contains an option of WithRequest. A raw client cannot call
// the option's function.
func hasFunctions(native []any) bool {
	return slices.ContainsFunc(native, func(o any) bool {
		_, ok := o.(function)
		return ok
	})
}

// These lists have types of requests. The first list is for writes: a write begins with one of
// these requests. The second list is for reads: a read sends one or more of these requests. The
// third list has the requests that a write may send in addition.
var (
	writing = []reflect.Type{
		reflect.TypeFor[awss3.PutObjectInput](), reflect.TypeFor[awss3.CreateMultipartUploadInput](),
		reflect.TypeFor[awss3.CopyObjectInput](),
	}
	reading = []reflect.Type{reflect.TypeFor[awss3.GetObjectInput](), reflect.TypeFor[awss3.HeadObjectInput]()}

	besideWriting = []reflect.Type{
		reflect.TypeFor[awss3.UploadPartInput](), reflect.TypeFor[awss3.UploadPartCopyInput](),
		reflect.TypeFor[awss3.CompleteMultipartUploadInput](),
		reflect.TypeFor[awss3.HeadObjectInput](), // sent if the response to the write was lost
	}
)

// checkFunctions fails if an operation would silently ignore an option of WithRequest. The
// parameter input is a request of the operation, and native has the options of the operation.
func checkFunctions(input any, native []any) error {
	typ := reflect.TypeOf(input).Elem()
	if slices.Contains(besideWriting[:3], typ) {
		return nil // the first request of the upload or copy was checked
	}
	var family, others []reflect.Type
	switch {
	case slices.Contains(writing, typ):
		family = writing
		others = besideWriting
	case slices.Contains(reading, typ):
		family = reading
	case typ == reflect.TypeFor[awss3.RestoreObjectInput]():
		others = reading // Restore sends HeadObject before RestoreObject
	}
	var unused reflect.Type
	for _, o := range native {
		f, ok := o.(function)
		if !ok {
			continue
		}
		t := f.target()
		switch {
		case t == typ:
			return nil
		case slices.Contains(family, t):
			unused = t
		case !slices.Contains(others, t):
			return typeError(t, typ)
		}
	}
	if unused != nil {
		return typeError(unused, typ)
	}
	return nil
}

func typeError(got, typ reflect.Type) error {
	operation := strings.TrimSuffix(typ.Name(), "Input")
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  fmt.Errorf("s3.WithRequest for %s does not fit %s", got.Name(), operation),
		Hint: "add s3.WithRequest with a func(*s3." + typ.Name() + "): this operation sends " + operation,
	}
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
	return storage.WithNative(provider, cannedACL(acl))
}

type cannedACL types.ObjectCannedACL

func (o cannedACL) check(b *bucket) error {
	if all := types.ObjectCannedACL("").Values(); !slices.Contains(all, types.ObjectCannedACL(o)) {
		return argument.Invalid("WithACL", fmt.Sprintf("must be one of %s", all), "")
	}
	if !b.account.profile.ObjectACLs {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("s3.WithACL needs a server with access control lists of objects"),
			Hint: b.account.featureHint(),
		}
	}
	return nil
}

func (o cannedACL) apply(input any) error {
	acl := field[types.ObjectCannedACL](input, "ACL")
	switch {
	case acl == nil:
	case *acl != "" && *acl != types.ObjectCannedACL(o):
		return argument.Invalid("WithACL", "excludes WithPublicRead and another WithACL", "")
	default:
		*acl = types.ObjectCannedACL(o)
	}
	return nil
}

// Fingerprint returns the name of the access control list.
func (o cannedACL) Fingerprint() string { return string(o) }

// A SignedOption adds a parameter or a header to a signed URL. [WithSignedParameter] and
// [WithSignedHeader] return it.
type SignedOption interface {
	storage.SignedUploadOption
	storage.SignedDownloadOption
	storage.SignedRemoveOption
}

// A signedValue is a parameter or a header that the caller adds to a signed URL.
type signedValue struct {
	option, name, value string
	err                 error // error if no URL can have the value; otherwise nil
}

// ownParameters are parameters that this package sets in signed URLs. It also sets parameters that
// begin with x-amz-.
var ownParameters = []string{
	"partNumber", "response-content-disposition", "response-content-type", "uploadId", "versionId",
}

// otherOperations are parameters that turn a request for an object into another operation, whatever their value is.
// For example, DELETE with the parameter tagging removes only the tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
var otherOperations = []string{
	"acl", "annotation", "append", "attributes", "compose", "delete", "encryption", "generation", "lambdaArn",
	"legal-hold", "renameObject", "restore", "retention", "select", "tagging", "torrent", "uploads",
}

// ownHeaders are headers that this package, an HTTP client or a browser sets.
var ownHeaders = []string{
	"Authorization", "Connection", "Content-Length", "Cookie", "Expect", "Host", "Transfer-Encoding",
	"X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token",
	// A browser does not let a page set these headers
	// (https://fetch.spec.whatwg.org/#forbidden-request-header).
	"Accept-Charset", "Accept-Encoding", "Access-Control-Request-Headers", "Access-Control-Request-Method", "Cookie2",
	"Date", "Dnt", "Keep-Alive", "Origin", "Referer", "Set-Cookie", "Te", "Trailer", "Upgrade", "Via",
}

// ownPrefixes are the beginnings of headers that WithSignedHeader refuses. A browser does not let a
// page set headers that begin with Proxy- or Sec-. X-Amz-Copy-Source would turn an upload into a
// copy.
var ownPrefixes = []string{"Proxy-", "Sec-", "X-Amz-Copy-Source"}

func isReservedHeader(header string) bool {
	return slices.ContainsFunc(ownPrefixes, func(prefix string) bool { return strings.HasPrefix(header, prefix) })
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
	const option = "WithSignedParameter"
	v := signedValue{option: option, name: name, value: value}
	if !httpheader.IsName(name) || name[0] < 'a' || slices.Contains(ownParameters, name) ||
		strings.HasPrefix(strings.ToLower(name), "x-amz-") {
		v.err = argument.Invalid(
			option,
			"must name a parameter that begins with a lower-case letter, and that no other option sets",
			"",
		)
	}
	if slices.Contains(otherOperations, name) {
		v.err = argument.Invalid(option, "must not set "+name+", which selects another operation of S3", "")
	}
	return storage.WithNative(provider, v)
}

// WithSignedHeader adds a header to a signed URL. The client must send the header with this value,
// as [storage.SignedURL] describes. For example, Range limits which bytes the URL reads.
//
// Signing fails with InvalidArgument if the package, an HTTP client or a browser sets the header
// itself (Host, Content-Length, Referer, X-Amz-Date and the like). It fails with the same code if
// the header would turn an upload into a copy (X-Amz-Copy-Source), if another option sets it, or if
// the value is not printable ASCII. SignedUploadForm fails with Unsupported.
func WithSignedHeader(name, value string) SignedOption {
	const option = "WithSignedHeader"
	v := signedValue{option: option, name: textproto.CanonicalMIMEHeaderKey(name), value: value}
	if !httpheader.IsName(name) || slices.Contains(ownHeaders, v.name) || isReservedHeader(v.name) {
		v.err = argument.Invalid(option,
			"must name a header that pages can set, that this package does not set, and that makes no copy", "")
	} else if value == "" || value != strings.TrimSpace(value) || strings.Contains(value, "  ") ||
		!httpheader.IsPrintable(value) {
		v.err = argument.Invalid(
			option,
			"must have a value of printable ASCII, without spaces at its ends or two in a row",
			"",
		)
	}
	return storage.WithNative(provider, v)
}

func (v signedValue) check(*bucket) error { return v.err }

// Fingerprint returns the name of the option. It omits the value, because an upload with a
// signedValue is never resumed.
func (v signedValue) Fingerprint() string { return v.option }

// String returns the name of the option. It omits the value, which may be a secret.
func (v signedValue) String() string { return v.option }

// GoString returns String.
func (v signedValue) GoString() string { return v.option }

// apply always fails, because a signedValue fits only signed URLs. It is called if the option is
// given for a signed form.
func (v signedValue) apply(any) error {
	return &storage.Error{Code: storage.Unsupported, Hint: v.option + " fits signed URLs only: leave it out"}
}

// signedValues separates the signedValues in native from the other options.
func signedValues(native []any) (values []signedValue, others []any) {
	for _, option := range native {
		if v, ok := option.(signedValue); ok {
			values = append(values, v)
		} else {
			others = append(others, option)
		}
	}
	return values, others
}
