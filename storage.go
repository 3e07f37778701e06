// Package storage is one API for object storage: Amazon S3 and everything S3-compatible, Google Cloud Storage, Azure
// Blob Storage, a local directory and memory. Code that passes its tests in memory behaves the same in production. The
// suite in storagetest proves it, so that tests need no cloud and no emulator.
//
// An upload streams an io.Reader of any length with bounded memory, as a multipart upload if it is
// large. A download is an io.Reader, too, and [FS] returns an fs.FS. A presigned URL lets a browser
// upload or download without credentials. A multi-cloud program changes only an address, and moves
// between clouds with zero downtime.
//
//	func hello(ctx context.Context, address string, w io.Writer) error {
//		bucket, err := storage.Open(ctx, address)
//		if err != nil {
//			return err
//		}
//		defer storage.Close(bucket)
//
//		_, err = bucket.Upload(ctx, "hello.txt", strings.NewReader("hello"), storage.IfAbsent())
//		if errors.Is(err, storage.PreconditionFailed) {
//			fmt.Fprintln(w, "hello.txt exists, and stays as it is")
//		} else if err != nil {
//			return err
//		}
//		text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
//		if err != nil {
//			return err
//		}
//		fmt.Fprintf(w, "%s, %s, %d bytes\n", text, attrs.ContentType, attrs.Size)
//		return nil
//	}
//
// The address chooses the store, such as mem://demo, file:///tmp/demo?create=true, or s3://bucket?region=eu-west-1. The
// program imports the package of each store, which registers its scheme:
//
//	import _ "github.com/omnibucket/storage/providers/s3"
//
// # Index by task
//
// A [Bucket] has nine methods. Everything else is a function that takes a bucket. Options that set
// something begin with With, and conditions begin with If.
//
//   - Store: [Bucket.Upload], [UploadFile], [NewWriter], [Append], [Update]. Attributes:
//     [WithContentType], [WithMetadata], [WithCacheControl], [WithContentDisposition],
//     [WithContentEncoding], [WithContentLanguage], [WithStorageClass], [WithPublicRead],
//     [EncodeMetadataValue], [DecodeMetadataValue]. Checks of the body: [WithSize], [WithCRC32C].
//   - Read: [Bucket.Download], [ReadAll], [DownloadFile], [ReadRanges], [NewReaderAt], [FS],
//     [Bucket.Attrs], [Bucket.Exists]. Options: [WithRange], [WithMaxGap], [WithNoSync],
//     [WithBlockSize], [WithBlockCache].
//   - List, such as one folder by WithPrefix("photos/") and WithDelimiter("/"): [Bucket.List],
//     [ListPage]. Options: [WithPrefix], [WithDelimiter], [WithStartAfter], [WithLimit],
//     [WithPageSize], [WithAnyOrder].
//   - Copy, move (rename) and remove: [Copy], [Compose], [Move], [WithoutAttrs], [Bucket.Remove],
//     [RemoveAll], [RemoveMatching].
//   - Conditions: [IfAbsent], [IfRevision], [IfRevisionNot], [WithWriteID].
//   - Sign: [Bucket.SignedUploadURL], [Bucket.SignedDownloadURL], [SignedUploadForm] (an upload from
//     a browser, with limits of its size), [SignedRemoveURL], [Bucket.PublicURL], [Vend]. Options:
//     [WithTTL], [WithContentType], [WithSize], [WithStableFor], [WithMethod], [WithDownloadName],
//     [WithInlineName], [WithResponseContentDisposition], [WithResponseContentType].
//   - Large uploads: [WithResume], [AbandonUpload], [WithPartSize], [WithConcurrency],
//     [WithProgress]. Parts from several processes: [BeginUpload], [ContinueUpload],
//     [ContinueListedUpload], [ListUploads], [AbortUpload], [PutSignedPart], [WithParts],
//     [WithMaxSize], [WithUncheckedParts].
//   - Lock between processes: lease.Acquire(ctx, bucket, "locks/job") of the package
//     github.com/omnibucket/storage/lease.
//   - Versions, object locks, tags and archives: [Versions], [WithVersion], [RemoveVersions],
//     [SetRetention], [SetLegalHold], [WithRetention], [WithLegalHold], [WithGovernanceBypass],
//     [Tags], [SetTags], [WithTags], [Restore], [WithRestoreDays], [WithRestoreTier],
//     [WithSoftDeleted].
//   - Create and list buckets, and change their settings, such as lifecycle and CORS rules:
//     [Service], which [OpenService] opens. Options:
//     [WithLifecycle], [WithCORS], [WithRegion], [WithVersioning], [WithObjectLock],
//     [WithDefaultRetention], [WithSoftDelete], [WithPublicAccess].
//   - Open and close: [Open], [Close], [CheckAddress], [Supports], [Require]. Options:
//     [WithRetry], [WithDefaultPartSize], [WithBufferLimit], [WithHedgedReads],
//     [WithPublicBaseURL], [WithSigningBaseURL], [WithTelemetry], [WithAttemptSpans].
//   - Give code a part of a bucket: [Ref], [Prefixed].
//   - Change what a method does, such as Remove: [Wrap], with a [Core] of your own. For a Core:
//     [NewBucket], [NewCopySource], [StreamCopy], [NewReader], [AsError], [Register].
//   - See or deny calls, such as all removals: [WithHook]. Requests and responses: package driver.
//   - What only one provider has: [As], [AttrsAs], [WithNative], [WithSourceNative],
//     [WithNativeAttrs].
//   - Errors: [CodeOf], [IsTemporary].
//
// # Errors and rules
//
// Every error is an *[Error] with a [Code]: errors.Is(err, storage.ObjectNotFound) holds, and so
// does errors.Is(err, fs.ErrNotExist). Three rules hold for all functions and options:
//
//   - If an argument or option breaks a rule, or two options set a condition, the call fails with
//     [InvalidArgument] and changes nothing.
//   - If the store cannot do what a function or option asks for (see [Features]), the call
//     fails with [Unsupported] and changes nothing.
//   - If an object is missing, reading or changing it fails with [ObjectNotFound].
//
// All rules, such as what a key may be, are in docs/maintainers/contract.md of the repository.
//
// # Packages
//
//   - Stores: memstore (memory, for tests), providers/local, providers/s3, providers/gcs and
//     providers/azure.
//   - Jobs: transfer copies, compares, removes and expires whole trees. serve serves objects over
//     HTTP, and cdn signs links of a content delivery network. uploads judges files of users by
//     their content before they exist. lease is a distributed lock, and commit a log. permissions
//     lists the policies that operations need.
//   - Configuration: locations reads buckets from a file, with layers, such as encryption.
//   - Drivers and tests: driver, engine, the suite storagetest, and the S3 server s3server.
//     Adapters to other libraries are in folders such as adapters/gocloud.
package storage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"sync"
)

// Open opens a bucket by address. A provider's package registers its scheme when it is imported:
//
//	mem://name
//	file:///var/data/files?create=true
//	s3://bucket?region=eu-west-1&endpoint=https://nyc3.digitaloceanspaces.com
//	gs://bucket
//	azblob://container?account=name
//
// Every address accepts the parameters public=true, public_base_url=, signing_base_url=,
// versions=true, object_lock=true and part_size= (bytes; see [WithDefaultPartSize]). With prefix=,
// such as s3://bucket?prefix=users/42/, Open returns a view like that of [Prefixed], but its
// [Close] closes the bucket. If the scheme or a parameter is unknown, the error names the known
// ones. Credentials come from the provider's usual places, such as environment variables, and never
// from an address.
func Open(ctx context.Context, address string, opts ...OpenOption) (Bucket, error) {
	b, err := openBucket(ctx, address, opts)
	if err != nil {
		return nil, openError(ctx, "Open", err)
	}
	return b, nil
}

// openBucket is Open, except that its error does not name the operation.
func openBucket(ctx context.Context, address string, opts []OpenOption) (Bucket, error) {
	a, err := parseAddress(address, opts)
	if err != nil {
		return nil, err
	}
	if a.opener.Bucket == nil {
		return nil, a.unsupported()
	}
	bucket, err := a.openBucket(ctx)
	if err != nil {
		return nil, err
	}
	if bucket == nil {
		return nil, errOpenedNothing
	}
	return bucket, nil
}

// OpenService opens an account by an address without a bucket's name and prefix=, such as
// s3://?region=eu-west-1, gs://?project=PROJECT or azblob://?account=ACCOUNT.
func OpenService(ctx context.Context, address string, opts ...OpenOption) (Service, error) {
	s, err := openService(ctx, address, opts)
	if err != nil {
		return nil, openError(ctx, "OpenService", err)
	}
	return s, nil
}

// openService is OpenService, except that its error does not name the operation.
func openService(ctx context.Context, address string, opts []OpenOption) (Service, error) {
	a, err := parseAddress(address, opts)
	if err != nil {
		return nil, err
	}
	if a.prefix != "" {
		return nil, invalid("address", "must not have the parameter prefix: an account has no prefix")
	}
	if a.opener.Service == nil {
		return nil, a.unsupported()
	}
	service, err := a.openService(ctx)
	if err != nil {
		return nil, err
	}
	if service == nil {
		return nil, errOpenedNothing
	}
	return service, nil
}

// unsupported returns the error for an address that opens only buckets, or only services.
func (a *parsedAddress) unsupported() *Error {
	return unsupported("scheme "+a.url.Scheme+" does not open this", "")
}

// openError returns the error of Open or OpenService.
func openError(ctx context.Context, op string, err error) error {
	openErr := AsError(ctx, err)
	openErr.Op = op
	return openErr
}

// An Opener opens the addresses of one scheme. If a function is nil, opening fails with
// [Unsupported]. A function gets only addresses whose query parameters are known. opts has the
// options of the parameters that every address accepts, and then the options of the caller. opts
// does not have prefix=. [Open] applies prefix= to the bucket that the function
// returns.
type Opener struct {
	Params  []string // the query parameters of the scheme
	Bucket  func(ctx context.Context, address *url.URL, opts []OpenOption) (Bucket, error)
	Service func(ctx context.Context, address *url.URL, opts []OpenOption) (Service, error)
}

var errOpenedNothing = errors.New("the function of the scheme returned neither a result nor an error")

// scheme matches the scheme of an address in lower case, as url.Parse returns it.
var scheme = regexp.MustCompile("^[a-z][a-z0-9+.-]*$")

var registry = struct {
	sync.RWMutex
	openers map[string]Opener
}{openers: map[string]Opener{}}

// Register registers a scheme with [Open] and [OpenService]. It panics if the scheme is registered
// already, or if name is not a scheme in lower case. A driver calls engine.Register instead.
func Register(name string, o Opener) {
	registry.Lock()
	defer registry.Unlock()
	if _, ok := registry.openers[name]; ok {
		panic("storage: Register: scheme " + name + " is registered already")
	}
	if !scheme.MatchString(name) {
		panic(fmt.Sprintf("storage: Register: scheme %q must have letters in lower case, digits, +, - and . only", name))
	}
	registry.openers[name] = o
}

// CheckAddress returns an error if [Open] would refuse the form of an address: its scheme, the
// names of its parameters, or the values of those that all schemes have in common.
func CheckAddress(address string) error {
	a, err := parseAddress(address, nil)
	if err == nil {
		err = (&OpenOptions{}).Apply(a.opts...)
	}
	if err := ownError(err); err != nil {
		err.Op = "CheckAddress"
		return err
	}
	return nil
}
