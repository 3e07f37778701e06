// Package driver is for authors of drivers and layers. It has the interfaces [Driver] and
// [ServiceDriver], the requests that their methods get, and the [Description] by which they declare
// abilities and limits. Package engine makes a bucket of a driver.
//
// To change the requests or responses of a store, such as for encryption or caching, write a
// [Layer]: a [Driver] that embeds another one. To run code around every request of a driver,
// including retries, use [Intercept]. That suits rate limits and fault injection.
//
// A driver over HTTP uses the transport of [NewTransport], which applies the bucket's stall limit
// and counts requests. Such a driver sets CountsRequests in its [Description]. It turns off the
// retries and timeouts of its SDK, because the engine retries. A method that reads returns
// [StatusError] for an unsuccessful response, and [NetworkError] for a request without a response.
// A method that writes sends its requests in a function that it passes to [SendWrite].
package driver

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
)

// A Driver translates between the engine and one provider. It translates requests of the engine to
// calls of the provider. It translates responses to [storage.Attrs], and failures to a
// [storage.Code]. It makes no decisions such as when to retry, and keeps no state between calls.
//
// The engine checks requests before it calls a driver. Keys are valid, metadata keys are in lower
// case, and no request needs a feature that Describe does not declare. After a method has returned,
// the driver must not keep the request, nor a pointer or slice of it. It may keep a metadata map,
// which nobody changes.
//
// A method may return a bare Code, or an *[storage.Error] with Code, Status, RequestID, Retryable,
// RetryAfter, Hint and Err. The engine adds Op, Provider, Bucket and Key. If a write returns a bare
// Code, the write had no effect. If a request was sent but no response came, the write may have
// taken effect. For such a request, the method must return an *Error with Unknown set.
//
// The engine retries errors that are Retryable. It always retries errors with RateLimited and
// Unavailable. A driver must turn off the retries of its SDK. Every method must return soon after
// ctx is done.
//
// A driver must implement Describe, Put, Get, Head, List and Delete. It embeds
// [UnimplementedDriver] for the other methods. A layer embeds the Driver that it wraps. The example
// is a whole driver, over a map.
type Driver interface {
	// Describe returns what the engine needs to know about the driver. engine.New calls it. If the
	// result has a FeatureHint and a feature is refused, the engine calls Describe again,
	// concurrently with other calls. By then, the driver may be able to give a better hint.
	Describe() Description

	// Put stores a whole object in one request, atomically. It reads Body to its end, by Read only
	// and not by WriterTo. If Body fails, Put stores nothing. It returns the error of Body, which
	// may be wrapped. If r.CRC32C is known, either the store or Put must verify it.
	//
	// Put returns ETag, Revision, Version, Modified and the checksums as they are in the response.
	// If the storage class differs from the requested one, Put also returns StorageClass. The engine
	// sets all other fields from r: Key, Size, the other properties, the tag count and the locks.
	// The same rules hold for the Attrs of CompleteParts, Copy and Compose.
	Put(ctx context.Context, r *PutRequest) (*storage.Attrs, error)

	// Get returns the attributes of the whole object, as Head does, and the requested bytes. The
	// bytes must begin at r.Offset: if the store sends bytes from another offset, Get fails. If the
	// offset is at or past the end, Get may fail with RangeNotSatisfiable. A body in memory may
	// implement io.WriterTo, to be written without a copy. Close of the body may be called while a
	// Read waits, and must make that Read return.
	Get(ctx context.Context, r *GetRequest) (*storage.Attrs, io.ReadCloser, error)

	// Head returns all attributes. If the store keeps no content type or checksum, ContentType is
	// empty or CRC32C unknown. Modified is in UTC, and as precise as in List. If the request has a
	// Condition, Head and Get must check it, even if the driver declares no feature for conditions.
	// Revision is the provider's revision as is, with up to 1,024 visible ASCII characters other
	// than "*" and ",". The engine prefixes it with the provider's name, and strips the prefix from
	// requests. The engine may change the returned Attrs, but no map in them.
	Head(ctx context.Context, r *GetRequest) (*storage.Attrs, error)

	// List returns one page of keys and common prefixes, together in byte order. If r.Token is set,
	// the page continues after the page that returned that token. Otherwise the page begins after
	// r.StartAfter. A page may contain a common prefix that an earlier page already contained, if
	// the prefix is greater than r.StartAfter. The engine drops the repeated prefix. The last page
	// has an empty Token.
	//
	// List must not sort entries that the store sends in another order. Sorting one page is not
	// enough, because an entry may belong to an earlier page. If an entry comes after a greater
	// one, the engine ends the listing with Unsupported.
	//
	// With Description.FolderOrder, the delimiter is always "/". List may sort the entries of a
	// folder by name instead of by key. The name of the folder "a/" is "a".
	//
	// If a driver declares neither FolderOrder nor OrderedListing, List may return entries in any
	// order. It must return each key and each common prefix only once. The engine never sets
	// r.StartAfter for such a driver.
	//
	// If List reads several responses of the store for one page, it must check ctx between them.
	List(ctx context.Context, r *ListRequest) (*storage.Page, error)

	// Delete removes an object or a version. If it does not exist, Delete returns nil. If the
	// bucket does not exist, Delete fails. If a retention or a legal hold protects it, Delete fails
	// with Locked.
	Delete(ctx context.Context, r *DeleteRequest) error

	// BeginParts begins a multipart upload, and returns the name that the store gives to the
	// upload. The engine keeps the name, and another process may use it. If a layer adds text to the
	// name, the text comes before the name, and a newline separates the text from the name.
	BeginParts(ctx context.Context, r *PutRequest) (upload string, err error)

	// PutPart stores one part. It is called concurrently, and may be called again with the same
	// number. Then the last call wins. With SequentialParts, parts come one at a time and in order.
	// PutPart and CompleteParts return Unavailable with Status 409 to make the engine begin a new
	// upload.
	PutPart(ctx context.Context, r *PartRequest) (Part, error)

	// CompleteParts makes the object from r.Parts. If the driver declares SequentialParts,
	// CompleteParts first sends r.Last, the last part of the object.
	CompleteParts(ctx context.Context, r *CompleteRequest) (*storage.Attrs, error)

	// AbortParts drops an upload and its parts. If there is no such upload, it returns nil.
	AbortParts(ctx context.Context, key, upload string) error

	// ListParts returns the stored parts of an upload with [PutRequest].AnyOrder, in the order of
	// Number. If the upload does not exist, ListParts fails with ObjectNotFound. A store that
	// cannot know whether the upload exists returns no parts.
	ListParts(ctx context.Context, r *ListPartsRequest) (*PartPage, error)

	// ListUploads returns one page of the uploads in progress, in any order: all that were begun and neither
	// completed nor aborted. It does not matter whether [PutRequest].AnyOrder was set.
	ListUploads(ctx context.Context, r *ListUploadsRequest) (*UploadPage, error)

	// SignPart signs a request that stores one part of an upload with AnyOrder.
	SignPart(ctx context.Context, r *SignPartRequest) (*storage.SignedURL, error)

	// DeleteBatch removes several objects, and returns one error or nil for each request.
	DeleteBatch(ctx context.Context, r []DeleteRequest) []error

	// Locate returns where a server-side copy finds the object. The zero value means that the
	// server cannot copy it.
	Locate(key string) ObjectRef

	// Copy copies an object within the provider. r.Source.Account is equal to that of this driver.
	// If the source has another revision than r.Source.Revision, Copy fails with Changed. If the
	// provider cannot make this copy, Copy fails with Unsupported. The engine then streams the
	// object.
	Copy(ctx context.Context, r *CopyRequest) (*storage.Attrs, error)

	// Compose joins objects of this bucket. If a source has another revision than requested, it
	// fails with Changed. If the provider cannot join these objects, it fails with Unsupported.
	Compose(ctx context.Context, r *ComposeRequest) (*storage.Attrs, error)

	// Move changes the key of an object of this bucket, in one step, and returns its attributes as
	// Head does. If the source does not exist, Move fails with ObjectNotFound. If the store cannot
	// move this object, Move changes nothing and fails with Unsupported. The engine then copies and
	// removes the object.
	Move(ctx context.Context, r *MoveRequest) (*storage.Attrs, error)

	// ListVersions returns one page of versions in the order of keys. The versions of one key are
	// in order from the newest to the oldest.
	ListVersions(ctx context.Context, r *ListRequest) (*VersionPage, error)

	// Tags returns the object's tags. The engine does not change the map.
	Tags(ctx context.Context, r *GetRequest) (map[string]string, error)

	// SetTags replaces the object's tags by r.Tags. If r.Tags is empty, it removes all tags. ETag,
	// Revision and Modified stay as they are.
	SetTags(ctx context.Context, r *ChangeRequest) error

	// SetRetention sets the object's retention. If r.Retention is zero, it ends the retention. If
	// the current retention forbids the change, SetRetention fails with Locked. If the bucket
	// cannot lock objects, SetRetention and writes with a lock fail with Unsupported.
	SetRetention(ctx context.Context, r *ChangeRequest) error

	// SetLegalHold begins or ends a legal hold. If the bucket cannot lock objects, it fails with
	// Unsupported.
	SetLegalHold(ctx context.Context, r *ChangeRequest) error

	// Restore begins to make an archived object readable. If the restore was already begun, or the
	// object is not archived, it returns nil.
	//
	// If r.SoftDeleted is true, Restore brings a removed object back instead. If the key has an
	// object, such a Restore changes nothing and fails with PreconditionFailed. If no removed
	// object was kept, it fails with ObjectNotFound.
	Restore(ctx context.Context, r *ChangeRequest) error

	// Sign signs one request that somebody else will make.
	Sign(ctx context.Context, r *SignRequest) (*storage.SignedURL, error)

	// SignForm signs an HTML form that uploads one object. r.MinSize and r.MaxSize bound the size
	// of the object.
	SignForm(ctx context.Context, r *SignRequest) (*storage.SignedForm, error)

	// Vend returns credentials that permit r.Rights for the keys with r.Prefix, and nothing else, for at most
	// r.TTL. It sets the secrets and Expires. If the provider cannot permit exactly that, Vend fails with Unsupported.
	Vend(ctx context.Context, r *VendRequest) (*storage.VendedCredentials, error)

	// Native returns the provider's own client for [storage.As], or nil.
	Native() any

	// Close releases the resources of the driver, such as connections. The engine calls it once.
	Close() error
}

// A BodyPeeker shows the bytes of a body before the body is read. The Body of a [PutRequest] or of
// a [PartRequest] implements it, unless its Size is -1.
type BodyPeeker interface {
	// PeekAt reads like ReadAt. The bytes are not counted as progress, and are not hashed.
	PeekAt(p []byte, offset int64) (n int, err error)
}

// A Fingerprinter is a value of WithNative whose text form hides a secret. To find out whether two
// calls have the same option, [storage.WithResume] compares their fingerprints instead of the
// texts. A fingerprint must not reveal the secret.
type Fingerprinter interface {
	Fingerprint() string
}
