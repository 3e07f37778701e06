package s3

import (
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

type nativeOption interface {
	driver.Fingerprinter
	// check returns why the bucket cannot take the option, or nil.
	check(b *bucket) error
	// apply sets the fields of an input of the SDK for the option.
	apply(input any) error
}

// checkNative is Description.CheckNative.
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

// customize applies the bucket's encryption, and then the options of an operation, to an input
// of the SDK. It fails if they do not fit the request, or one another.
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

// WithRequest calls change with the SDK's input of each request of its kind, before the request
// is sent. Use it for features of S3 that this library does not have. The SDK sends such a
// request, which is slower for small objects.
//
//	bucket.Upload(ctx, "report.pdf", body, s3.WithRequest(func(in *awss3.PutObjectInput) {
//		in.WebsiteRedirectLocation = aws.String("/reports")
//	}))
//
// An upload sends PutObject, or CreateMultipartUpload, UploadPart and CompleteMultipartUpload if
// it is large. A copy sends CopyObject, or CreateMultipartUpload and UploadPartCopy.
// [storage.NewReaderAt] sends HeadObject and GetObject. Give one option for each request that may
// be sent. If an operation begins with one of PutObject, CreateMultipartUpload and CopyObject,
// and only another one of these three has an option, it fails with Unsupported before the
// request. The same holds for GetObject and HeadObject. The operation also fails with Unsupported
// if an option fits none of its requests, and so does a signed URL or a form.
//
// change must not touch what the library sets itself: bucket, key, body, length, checksums,
// ranges and conditions. It is called again if a request is repeated, and by several goroutines
// at once for parts and ranges. With [storage.WithResume], a call in another process starts over.
// If change is nil, the operation fails with InvalidArgument.
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
	if in, ok := input.(*I); ok {
		o.change(in)
	}
	return nil
}

// Fingerprint returns a random text: nobody knows what another process's function does.
func (o *requestOption[I]) Fingerprint() string { return o.id }

func (*requestOption[I]) target() reflect.Type { return reflect.TypeFor[I]() }

// A function is a requestOption of any kind.
type function interface{ target() reflect.Type }

// hasFunctions reports whether an option changes the inputs of the SDK in ways that a raw client
// does not know.
func hasFunctions(native []any) bool {
	return slices.ContainsFunc(native, func(o any) bool {
		_, is := o.(function)
		return is
	})
}

// The requests that may replace one another in an operation, and the requests that it sends
// beside them.
var (
	writing = []reflect.Type{
		reflect.TypeFor[awss3.PutObjectInput](), reflect.TypeFor[awss3.CreateMultipartUploadInput](),
		reflect.TypeFor[awss3.CopyObjectInput](),
	}
	reading = []reflect.Type{reflect.TypeFor[awss3.GetObjectInput](), reflect.TypeFor[awss3.HeadObjectInput]()}

	besideWriting = []reflect.Type{
		reflect.TypeFor[awss3.UploadPartInput](), reflect.TypeFor[awss3.UploadPartCopyInput](),
		reflect.TypeFor[awss3.CompleteMultipartUploadInput](),
		reflect.TypeFor[awss3.HeadObjectInput](), // sent if a response was lost
	}
)

// checkFunctions fails if a function of WithRequest would be ignored without a word.
func checkFunctions(input any, native []any) error {
	sent := reflect.TypeOf(input).Elem()
	if slices.Contains(besideWriting[:3], sent) {
		return nil // the request before it was checked
	}
	var family, beside []reflect.Type
	switch {
	case slices.Contains(writing, sent):
		family, beside = writing, besideWriting
	case slices.Contains(reading, sent):
		family = reading
	case sent == reflect.TypeFor[awss3.RestoreObjectInput]():
		beside = reading // its HeadObject comes first
	}
	var missed reflect.Type
	for _, o := range native {
		f, is := o.(function)
		if !is {
			continue
		}
		switch t := f.target(); {
		case t == sent:
			return nil
		case slices.Contains(family, t):
			missed = t
		case !slices.Contains(beside, t):
			return unfit(t, sent)
		}
	}
	if missed != nil {
		return unfit(missed, sent)
	}
	return nil
}

func unfit(given, sent reflect.Type) error {
	operation := strings.TrimSuffix(sent.Name(), "Input")
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  fmt.Errorf("s3.WithRequest for %s does not fit %s", given.Name(), operation),
		Hint: "add s3.WithRequest with a func(*s3." + sent.Name() + "): this operation sends " + operation,
	}
}

// WithACL gives the object a canned access control list, such as
// types.ObjectCannedACLBucketOwnerFullControl. An upload, a copy, and a signed upload can have it. A
// copy never has the source's list.
//
// The operation fails with InvalidArgument if Amazon has no such list, or if
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
	switch acl := field[types.ObjectCannedACL](input, "ACL"); {
	case acl == nil:
	case *acl != "" && *acl != types.ObjectCannedACL(o):
		return argument.Invalid("WithACL", "excludes WithPublicRead and another WithACL", "")
	default:
		*acl = types.ObjectCannedACL(o)
	}
	return nil
}

// Fingerprint returns the name of the list.
func (o cannedACL) Fingerprint() string { return string(o) }
