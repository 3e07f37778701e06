package storage

import (
	"context"
	"io"
)

// A Driver translates one provider: requests to calls, responses to [Attrs], failures to
// a [Code]. It has no policy, and keeps no state between calls.
//
// Requests are checked: keys are valid, metadata keys are in lower case, and a driver is
// asked for nothing that Describe does not declare. A driver must not keep a request
// after it returns, or a pointer or slice in one. It may keep a metadata map, which nobody
// changes.
//
// A method may return a bare Code, or an *[Error] with Code, Status, RequestID, Retryable,
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
	Put(ctx context.Context, r *PutRequest) (*Attrs, error)

	// Get returns the attributes of the whole object, as Head does, and the requested
	// bytes. The bytes must begin at r.Offset: if the store sends others, Get fails. If
	// the offset is at or past the end, Get may fail with RangeNotSatisfiable. A body in
	// memory may implement io.WriterTo, to be written without a copy. Its Close may be
	// called while a Read waits, and must make it return.
	Get(ctx context.Context, r *GetRequest) (*Attrs, io.ReadCloser, error)

	// Head returns all attributes; ContentType is empty and CRC32C unknown if the store keeps
	// none. Modified is as precise as in List. A Condition of a read must hold even if the
	// driver declares no conditions. Revision is the provider's own: the core adds the
	// provider's name to it, and removes it from requests. The core may change the returned
	// Attrs, but no map in them.
	Head(ctx context.Context, r *GetRequest) (*Attrs, error)

	// List returns one page in byte order of the whole keys, with prefixes among them. If
	// r.Token is set, the page continues after the one that returned it. Else it begins
	// after r.StartAfter; a prefix that is greater may be repeated, because the core
	// filters. The last page has an empty Token.
	//
	// List must not sort what the store sends in another order: if an entry comes after a
	// greater one, the core ends the listing with Unsupported, because entries would be
	// missed. With Description.FolderOrder the delimiter is always "/", and a folder may be
	// in the order of its names. List must check ctx if it reads more than one response.
	List(ctx context.Context, r *ListRequest) (*Page, error)

	// Delete removes an object or a version. If there is none, it returns nil; if there is
	// no bucket, it fails. If retention or a legal hold keeps it, Delete
	// fails with Locked.
	Delete(ctx context.Context, r *DeleteRequest) error

	// BeginParts begins a multipart upload. The core keeps its name, and may use it from
	// another process.
	BeginParts(ctx context.Context, r *PutRequest) (upload string, err error)

	// PutPart stores one part. It is called concurrently, and may be called again with the
	// same number: the last call wins. With SequentialParts, parts come one at a time and
	// in order. To make the core restart the upload, PutPart and CompleteParts return
	// Unavailable with Status 409.
	PutPart(ctx context.Context, r *PartRequest) (Part, error)

	// CompleteParts makes the object of r.Parts and, with SequentialParts, r.Last.
	CompleteParts(ctx context.Context, r *CompleteRequest) (*Attrs, error)

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
	SignPart(ctx context.Context, r *SignPartRequest) (*SignedURL, error)

	// DeleteBatch removes several objects, and returns one error or nil for each request.
	DeleteBatch(ctx context.Context, r []DeleteRequest) []error

	// Locate returns where a server-side copy finds the object; the zero value means
	// nowhere.
	Locate(key string) ObjectRef

	// Copy copies inside the provider; r.Source.Account is this driver's own. If the source
	// has another revision than r.Source.Revision, Copy fails with Changed. If the provider
	// cannot make this copy, it fails with Unsupported, and the core streams.
	Copy(ctx context.Context, r *CopyRequest) (*Attrs, error)

	// Compose joins objects of this bucket; it fails as Copy does.
	Compose(ctx context.Context, r *ComposeRequest) (*Attrs, error)

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
	// object is not archived, it returns nil.
	Restore(ctx context.Context, r *ChangeRequest) error

	// Sign signs one request that somebody else will make.
	Sign(ctx context.Context, r *SignRequest) (*SignedURL, error)

	// SignForm signs a form; r.MinSize and r.MaxSize bound the body.
	SignForm(ctx context.Context, r *SignRequest) (*SignedForm, error)

	// Native returns the provider's own client, for [As]; nil if there is none.
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

// A Fingerprinter is a value of WithNative whose text hides a secret. [WithResume] compares the
// fingerprints, in place of the text, to learn whether two calls have the same option. A
// fingerprint must not reveal the secret.
type Fingerprinter interface {
	Fingerprint() string
}

// A Description tells the core about a driver. The core refuses with Unsupported, before
// the driver is asked, everything that Features does not declare.
type Description struct {
	Provider string // "s3", "gcs", "azure", "local", "memory"
	Bucket   string
	Features Features
	// Location distinguishes the bucket from one of the same name elsewhere: the endpoint
	// and account, or the directory, without credentials. It must be the same in every
	// process.
	Location      string
	PublicBaseURL string // the provider's own address of the bucket, ending in "/"; the core adds the escaped key
	Versioned     bool   // the bucket is known to keep versions, as if it were opened WithVersions
	// EnableVersions makes the bucket keep versions from now on. New calls it if the bucket
	// is opened WithVersions. It is nil if the store itself decides (clouds).
	EnableVersions func()
	// EnableObjectLock makes the bucket keep versions and lock objects. New calls it if the bucket
	// is opened WithObjectLock. It is nil if the store itself decides (clouds).
	EnableObjectLock func()
	// TaggedRevisions declares that the driver's revisions begin with Provider and ":"
	// already, so that they need not be built for each response.
	TaggedRevisions bool

	// NeedsSigningBase declares that the store has no address of its own: the handler of package
	// serve answers signed requests, at the address of WithSigningBaseURL. Without that
	// option no feature of signing is in force.
	NeedsSigningBase bool
	// Origin, with NeedsSigningBase, tells the handler of package serve about the bucket: its
	// keys, whether it is public, its CORS rules. A layer must pass it on.
	Origin      any
	SigningHint string // the Hint if signing is Unsupported: what the bucket lacks
	// FeatureHint is the Hint if a feature is not declared: what to do about it.
	FeatureHint string

	// FolderOrder declares, in place of OrderedListing, that List is in the order of a
	// directory tree, which has all of "a/…" before "a-b". The core then lists folder by
	// folder, with the delimiter "/" and Token only: at least one request for each folder.
	// In one folder, List must be in the order of names, in which "a/" counts as "a", or in
	// byte order.
	FolderOrder bool
	// SlashDelimiter declares that List takes only the delimiter "/". For any other, the
	// core lists all keys and finds the prefixes itself.
	SlashDelimiter bool
	// TokenAfterLast declares that a full last page may have a token, which leads to an
	// empty page. ListPage then requests one entry more than it returns.
	TokenAfterLast bool

	// TagsByHead declares that Attrs of Get lack the TagCount, which those of Head have.
	TagsByHead bool
	// CopiesTags declares that Copy keeps the source's tags, however many there are, unless
	// CopyRequest.ReplaceTags is true. The core then does not read them for it, and Tags are
	// only those that replace them.
	CopiesTags bool
	// CopiesWithoutAttrs declares that Copy takes a source without Attrs and Revision. It copies one
	// revision with its tags and properties, except the storage class. If it fails for a reason
	// that lasts, such as Unsupported, the core reads the attributes and calls Copy again.
	CopiesWithoutAttrs bool

	// CheckNative accepts a value of WithNative, or says why not. The value of another driver's
	// option is Unsupported. It is nil if the driver has no options of its own.
	CheckNative func(value any) error

	// ChecksumWhileSending declares that Put and PutPart take a body of known size whose CRC32C
	// is known only when it has ended, so that it is read once. StreamingPut includes it.
	ChecksumWhileSending bool
	// NonIdempotentCompletion declares that CompleteParts of an upload with AnyOrder makes the object
	// again if another call is completing the same upload. The core then makes each completion
	// without a condition conditional on the object that the key has.
	NonIdempotentCompletion bool
	// CountsRequests declares that the transport counts HTTP requests. Else
	// [Outcome.Requests] counts driver calls.
	CountsRequests bool

	Local         bool // the store is on this machine: no connection can stall or drop
	ASCIIMetadata bool // metadata values must be ASCII: the core encodes them (RFC 2047) and decodes them

	MaxSize     int64 // bytes of the largest object, if parts set no limit; 0: none
	MaxPutSize  int64 // bytes of the largest body of one Put; 0: no limit
	MinPartSize int64 // bytes; the last part may be smaller
	MaxPartSize int64 // bytes; 0: no limit
	MaxParts    int   // 0: no limit
	PartSize    int64 // bytes of a part if nothing else decides; 0: 5 MiB
	PartUnit    int64 // bytes; all parts but the last are a multiple of it; 0: any size
	// OpenUploadLimits are the bounds of the parts of uploads with AnyOrder; nil: those above.
	OpenUploadLimits *PartLimits
	MaxBatch         int // requests in one DeleteBatch; 0: there are no batches
	MaxPage          int // entries in one List; 0: 1,000
}

// Features are the abilities that a driver declares.
type Features uint64

// The features. An operation that needs one that is not declared fails with Unsupported.
const (
	StreamingPut        Features = 1 << iota // Put takes a body of unknown size, without buffering it
	MultipartUploads                         // BeginParts, PutPart, CompleteParts, AbortParts
	EqualParts                               // all parts but the last must have one size
	ConditionalCreate                        // IfAbsent on Put, parts and Copy, atomically
	ConditionalUpdate                        // IfRevision on Put, parts and Copy, atomically
	ConditionalRemove                        // IfRevision on Delete, atomically
	UniqueRevisions                          // no two writes share a revision, not even of equal content
	ServerCopy                               // Copy, without moving bytes through this process
	ServerCompose                            // Compose, without moving bytes through this process
	Versioning                               // the store can keep versions; in force if the bucket is opened WithVersions or is known to keep them
	SignedURLs                               // signed upload and download addresses
	SignedContentType                        // the store enforces WithContentType; else it is only a header to send
	SignedSize                               // WithSize on a signed upload
	SignedIfAbsent                           // IfAbsent on a signed upload
	SignedForms                              // SignedUploadForm
	ObjectACLs                               // WithPublicRead
	StorageClasses                           // WithStorageClass
	OrderedListing                           // List is in byte order; every bucket that New accepts, with FolderOrder too
	SequentialParts                          // parts are sent one after the other (GCS's resumable uploads): PartRequest.Offset, CompleteRequest.Last
	SignedHead                               // WithMethod(http.MethodHead): the address cannot read bytes
	Metadata                                 // WithMetadata; without it no write id is stored, so a lost response of a conditional write stays OutcomeUnknown
	ContentProperties                        // WithContentType, -Encoding, -Disposition, -Language and WithCacheControl; without it the type is the key extension's
	StoredChecksums                          // reads return the CRC32C of the content that was written
	KeysBesideFolders                        // "a" and "a/b" at once; without it the driver refuses the second one with Unsupported
	LongSegments                             // segments of a key may be longer than 255 bytes
	ObjectTags                               // WithTags, Tags, SetTags
	ObjectLock                               // WithRetention, WithLegalHold, SetRetention, SetLegalHold; a bucket may be made without it
	Restoring                                // Restore
	SignedTags                               // WithTags on a signed upload, enforced: a client can neither leave them out nor change them
	SignedLocks                              // WithRetention and WithLegalHold on a signed upload, likewise
	LateMetadata                             // Put reads PutRequest.Metadata after Body, which may add to the map until its end; CompleteParts keeps the metadata of its own request
	OpenUploads                              // BeginUpload: parts come in any order, again, and from any process (PutRequest.AnyOrder); ListParts
	SignedParts                              // SignPart, with OpenUploads
	ListedUploads                            // ListUploads
	SignedPartChecksums                      // WithCRC32C on a signed part, enforced
)

// UnimplementedDriver implements everything that a driver may leave out: the methods
// return Unsupported. Embed it by value.
type UnimplementedDriver struct{}

// BeginParts returns Unsupported.
func (UnimplementedDriver) BeginParts(context.Context, *PutRequest) (string, error) {
	return "", Unsupported
}

// PutPart returns Unsupported.
func (UnimplementedDriver) PutPart(context.Context, *PartRequest) (Part, error) {
	return Part{}, Unsupported
}

// CompleteParts returns Unsupported.
func (UnimplementedDriver) CompleteParts(context.Context, *CompleteRequest) (*Attrs, error) {
	return nil, Unsupported
}

// AbortParts returns Unsupported.
func (UnimplementedDriver) AbortParts(context.Context, string, string) error { return Unsupported }

// ListParts returns Unsupported.
func (UnimplementedDriver) ListParts(context.Context, *ListPartsRequest) (*PartPage, error) {
	return nil, Unsupported
}

// ListUploads returns Unsupported.
func (UnimplementedDriver) ListUploads(context.Context, *ListUploadsRequest) (*UploadPage, error) {
	return nil, Unsupported
}

// SignPart returns Unsupported.
func (UnimplementedDriver) SignPart(context.Context, *SignPartRequest) (*SignedURL, error) {
	return nil, Unsupported
}

// DeleteBatch returns Unsupported for every request.
func (UnimplementedDriver) DeleteBatch(_ context.Context, r []DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range errs {
		errs[i] = Unsupported
	}
	return errs
}

// Locate returns nowhere.
func (UnimplementedDriver) Locate(string) ObjectRef { return ObjectRef{} }

// Copy returns Unsupported.
func (UnimplementedDriver) Copy(context.Context, *CopyRequest) (*Attrs, error) {
	return nil, Unsupported
}

// Compose returns Unsupported.
func (UnimplementedDriver) Compose(context.Context, *ComposeRequest) (*Attrs, error) {
	return nil, Unsupported
}

// ListVersions returns Unsupported.
func (UnimplementedDriver) ListVersions(context.Context, *ListRequest) (*VersionPage, error) {
	return nil, Unsupported
}

// Tags returns Unsupported.
func (UnimplementedDriver) Tags(context.Context, *GetRequest) (map[string]string, error) {
	return nil, Unsupported
}

// SetTags returns Unsupported.
func (UnimplementedDriver) SetTags(context.Context, *ChangeRequest) error { return Unsupported }

// SetRetention returns Unsupported.
func (UnimplementedDriver) SetRetention(context.Context, *ChangeRequest) error { return Unsupported }

// SetLegalHold returns Unsupported.
func (UnimplementedDriver) SetLegalHold(context.Context, *ChangeRequest) error { return Unsupported }

// Restore returns Unsupported.
func (UnimplementedDriver) Restore(context.Context, *ChangeRequest) error { return Unsupported }

// Sign returns Unsupported.
func (UnimplementedDriver) Sign(context.Context, *SignRequest) (*SignedURL, error) {
	return nil, Unsupported
}

// SignForm returns Unsupported.
func (UnimplementedDriver) SignForm(context.Context, *SignRequest) (*SignedForm, error) {
	return nil, Unsupported
}

// Native returns nil.
func (UnimplementedDriver) Native() any { return nil }

// Close does nothing.
func (UnimplementedDriver) Close() error { return nil }
