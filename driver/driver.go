// Package driver has what the author of a driver or of a layer sees: [Driver] and [ServiceDriver], the
// requests that they get, and what they declare. Package engine makes a bucket of a driver.
//
// To change requests or responses of a store (encryption, caching), write a [Layer]: a [Driver] that embeds
// another one. To run code around every request of a driver, retries included (rate limits, fault
// injection), use [Intercept].
//
// A driver over HTTP uses the transport of [NewTransport], which applies the bucket's stall limit and
// counts requests: it sets CountsRequests in its [Description]. It turns the retries and timeouts of its
// SDK off, because the engine retries. A method that reads returns [StatusError] for an unsuccessful
// response, and [NetworkError] for a request without one. A method that writes does the same in a
// function that it passes to [SendWrite].
package driver

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
)

// A Driver translates one provider: requests to calls, responses to [storage.Attrs], failures to
// a [storage.Code]. It has no policy, and keeps no state between calls.
//
// Requests are checked: keys are valid, metadata keys are in lower case, and a driver is
// asked for nothing that Describe does not declare. A driver must not keep a request
// after it returns, or a pointer or slice in one. It may keep a metadata map, which nobody
// changes.
//
// A method may return a bare Code, or an *[storage.Error] with Code, Status, RequestID, Retryable,
// RetryAfter, Hint and Err; the core adds Op, Provider, Bucket and Key. A write that
// returns a bare Code had no effect. If the request may have reached the store but no
// response came, it must return an *Error with Unknown set.
//
// The core retries errors that are Retryable; RateLimited and Unavailable always are. A
// driver must turn off the retries of its SDK. Every method must return soon after ctx is
// done.
//
// A driver must implement Describe, Put, Get, Head, List and Delete; embed
// [UnimplementedDriver] for the rest. A layer embeds the Driver that it wraps. The example
// is a whole driver, over a map.
type Driver interface {
	// Describe returns what the core needs to know. New calls it. If it returned a FeatureHint
	// and a feature is refused, the core calls it again, beside other calls: the hint may name
	// what the driver has learned.
	Describe() Description

	// Put stores a whole object in one request, atomically. It reads Body to its end, by
	// Read only (not by WriterTo). If Body fails, Put stores nothing and returns that
	// error, wrapped or not. If r.CRC32C is known, the store must verify it, or Put must.
	//
	// Put returns ETag, Revision, Version, Modified, the checksums of the response, and a
	// StorageClass other than the requested one. The core sets Key, Size and the other
	// properties, the tag count and the locks that r has. This holds for CompleteParts, Copy and
	// Compose too.
	Put(ctx context.Context, r *PutRequest) (*storage.Attrs, error)

	// Get returns the attributes of the whole object, as Head does, and the requested
	// bytes. The bytes must begin at r.Offset: if the store sends others, Get fails. If
	// the offset is at or past the end, Get may fail with RangeNotSatisfiable. A body in
	// memory may implement io.WriterTo, to be written without a copy. Its Close may be
	// called while a Read waits, and must make it return.
	Get(ctx context.Context, r *GetRequest) (*storage.Attrs, io.ReadCloser, error)

	// Head returns all attributes; ContentType is empty and CRC32C unknown if the store keeps
	// none. Modified is in UTC, and as precise as in List. A Condition of a read must hold even if the
	// driver declares no conditions. Revision is the provider's own, of up to 1,024 visible ASCII
	// characters without "*" and ",": the core adds the provider's name to it, and removes it from
	// requests. The core may change the returned Attrs, but no map in them.
	Head(ctx context.Context, r *GetRequest) (*storage.Attrs, error)

	// List returns one page in byte order of the whole keys, with prefixes among them. If
	// r.Token is set, the page continues after the one that returned it. Else it begins
	// after r.StartAfter; a prefix that is greater may be repeated, because the core
	// filters. The last page has an empty Token.
	//
	// List must not sort what the store sends in another order: if an entry comes after a
	// greater one, the core ends the listing with Unsupported, because entries would be
	// missed. With Description.FolderOrder the delimiter is always "/", and a folder may be
	// in the order of its names. Without that and OrderedListing, entries come in any order, each
	// key and prefix once, with Token only. List must check ctx if it reads more than one response.
	List(ctx context.Context, r *ListRequest) (*storage.Page, error)

	// Delete removes an object or a version. If there is none, it returns nil; if there is
	// no bucket, it fails. If retention or a legal hold keeps it, Delete
	// fails with Locked.
	Delete(ctx context.Context, r *DeleteRequest) error

	// BeginParts begins a multipart upload. The core keeps its name, and may use it from
	// another process. A layer that adds text to the name writes it in front, with a newline after it.
	BeginParts(ctx context.Context, r *PutRequest) (upload string, err error)

	// PutPart stores one part. It is called concurrently, and may be called again with the
	// same number: the last call wins. With SequentialParts, parts come one at a time and
	// in order. To make the core restart the upload, PutPart and CompleteParts return
	// Unavailable with Status 409.
	PutPart(ctx context.Context, r *PartRequest) (Part, error)

	// CompleteParts makes the object of r.Parts and, with SequentialParts, r.Last.
	CompleteParts(ctx context.Context, r *CompleteRequest) (*storage.Attrs, error)

	// AbortParts drops an upload and its parts. If there is no such upload, it returns nil.
	AbortParts(ctx context.Context, key, upload string) error

	// ListParts returns the parts that an upload with [PutRequest].AnyOrder has, by Number. If
	// there is no such upload, it fails with ObjectNotFound. A store that cannot tell that
	// returns no parts.
	ListParts(ctx context.Context, r *ListPartsRequest) (*PartPage, error)

	// ListUploads returns one page of the uploads that were begun and neither completed nor
	// aborted, in any order, those without AnyOrder too.
	ListUploads(ctx context.Context, r *ListUploadsRequest) (*UploadPage, error)

	// SignPart signs a request that stores one part of an upload with AnyOrder.
	SignPart(ctx context.Context, r *SignPartRequest) (*storage.SignedURL, error)

	// DeleteBatch removes several objects, and returns one error or nil for each request.
	DeleteBatch(ctx context.Context, r []DeleteRequest) []error

	// Locate returns where a server-side copy finds the object; the zero value means
	// nowhere.
	Locate(key string) ObjectRef

	// Copy copies inside the provider; r.Source.Account is this driver's own. If the source
	// has another revision than r.Source.Revision, Copy fails with Changed. If the provider
	// cannot make this copy, it fails with Unsupported, and the core streams.
	Copy(ctx context.Context, r *CopyRequest) (*storage.Attrs, error)

	// Compose joins objects of this bucket; it fails as Copy does.
	Compose(ctx context.Context, r *ComposeRequest) (*storage.Attrs, error)

	// Move gives an object of this bucket another key, in one step, and returns its attributes as
	// Head does. If there is no source, it fails with ObjectNotFound. If it cannot move this
	// object, it changes nothing and fails with Unsupported; the core then copies and removes.
	Move(ctx context.Context, r *MoveRequest) (*storage.Attrs, error)

	// ListVersions returns one page of versions, by key, the newest first.
	ListVersions(ctx context.Context, r *ListRequest) (*VersionPage, error)

	// Tags returns the object's tags. The core does not change the map.
	Tags(ctx context.Context, r *GetRequest) (map[string]string, error)

	// SetTags replaces the object's tags by r.Tags; if there are none, it removes them. ETag,
	// Revision and Modified stay as they are.
	SetTags(ctx context.Context, r *ChangeRequest) error

	// SetRetention sets or, if it is zero, ends the object's retention. A change that the
	// retention forbids fails with Locked. If the bucket cannot lock objects, SetRetention and
	// writes with a lock fail with Unsupported.
	SetRetention(ctx context.Context, r *ChangeRequest) error

	// SetLegalHold begins or ends a legal hold; it fails as SetRetention does.
	SetLegalHold(ctx context.Context, r *ChangeRequest) error

	// Restore begins to make an archived object readable. If that was begun already, or the
	// object is not archived, it returns nil. With r.SoftDeleted it brings a removed object back. If the
	// key has an object, it changes nothing and fails with PreconditionFailed; if there is nothing to
	// bring back, it fails with ObjectNotFound.
	Restore(ctx context.Context, r *ChangeRequest) error

	// Sign signs one request that somebody else will make.
	Sign(ctx context.Context, r *SignRequest) (*storage.SignedURL, error)

	// SignForm signs a form; r.MinSize and r.MaxSize bound the body.
	SignForm(ctx context.Context, r *SignRequest) (*storage.SignedForm, error)

	// Native returns the provider's own client, for [storage.As]; nil if there is none.
	Native() any

	// Close releases what opening took. The core calls it once.
	Close() error
}

// A BodyPeeker shows the bytes of a body before the body is read. The Body of a
// [PutRequest] implements it unless Size is -1, and so does that of a [PartRequest].
type BodyPeeker interface {
	// PeekAt is ReadAt for a body. The bytes count neither as read nor as progress, and
	// are not hashed.
	PeekAt(p []byte, offset int64) (n int, err error)
}

// A Fingerprinter is a value of WithNative whose text hides a secret. [storage.WithResume] compares the
// fingerprints, in place of the text, to learn whether two calls have the same option. A
// fingerprint must not reveal the secret.
type Fingerprinter interface {
	Fingerprint() string
}
