package storage

import (
	"context"
	"io"
	"time"
)

// A Driver is one provider's translation: requests to calls, answers to Attrs,
// failures to codes. It holds no policy and no state between calls. A request
// has passed every check: keys are valid, metadata keys are in lower case, and
// nothing is asked that Describe does not declare. It keeps no request after it
// returns; a metadata map in one it may keep, for nobody changes it.
//
// A method may return a bare Code, or an *Error with what the provider said:
// Code, Status, RequestID, Retryable, RetryAfter, Hint, Err. The core adds Op,
// Provider, Bucket and Key. A bare Code from a method that writes means that
// nothing was done; where the request was sent and its answer never came, the
// driver says so by an *Error with Unknown set. The core retries what is
// Retryable, as RateLimited and Unavailable are by nature, so a driver turns
// its SDK's own retrying off.
//
// Of the Attrs that a write answers with, the core fills Key, Size and the
// properties that were sent; a driver sets ETag, Revision, Version, Modified,
// the checksums that the provider answered with, and a StorageClass that
// differs from what was asked. Reads fill everything that the store keeps, the
// ContentType too; it stays empty without ContentProperties, and CRC32C nil without
// StoredChecksums. A Revision is the
// provider's own word: the core tags it with the provider's name, and requests
// have it as the driver gave it. The
// Attrs that a driver returns are the core's to change; a map in them is not.
//
// Describe, Put, Get, Head, List and Delete are required; embed
// UnimplementedDriver for the rest. A layer embeds the Driver that it wraps. The
// example is a whole driver, over a map.
//
// A driver that has to know the bytes of a body before it sends them reads them by
// [BodyPeeker].
type Driver interface {
	// Describe is called once, by New.
	Describe() Description

	// Put stores a whole body in one request, atomically. It reads Body to its
	// end; an error of Body stores nothing and is returned as it is, or
	// wrapped.
	Put(ctx context.Context, r *PutRequest) (*Attrs, error)
	// Get answers with the attributes of the whole object and the bytes asked
	// for. An offset at or behind the end may be RangeNotSatisfiable: the core
	// decides. An answer that does not begin at the offset is an error. A body
	// in memory may implement io.WriterTo, to be written without a copy. Close
	// may be called while a Read waits, and makes it return.
	Get(ctx context.Context, r *GetRequest) (*Attrs, io.ReadCloser, error)
	Head(ctx context.Context, r *GetRequest) (*Attrs, error)
	// List is one page in byte order of the whole keys, prefixes merged in.
	// Token, where it is set, continues after the page that gave it; else
	// StartAfter is exclusive (a prefix that is greater than it may be
	// repeated: the core filters). An empty token in the answer is the end.
	// A driver never sorts what the store sends in another order: the core
	// ends a listing with Unsupported if an entry comes after a greater one,
	// because entries would be missed. With Description.FolderOrder the
	// delimiter is always "/", and one folder may be in the order of its names.
	List(ctx context.Context, r *ListRequest) (*Page, error)
	// Delete of what is not there, in a bucket that is, is nil.
	Delete(ctx context.Context, r *DeleteRequest) error

	// Parts: the upload's name and the parts' tags are the core's to keep, so
	// that an upload can outlive a process. PutPart is called concurrently; a
	// number sent again replaces the earlier part. Unavailable with 409 in
	// Error.Status, of PutPart and CompleteParts, says that the upload has to begin
	// anew (S3's ConditionalRequestConflict). AbortParts of an unknown upload is
	// nil. With SequentialParts, parts come one at a time and in order, and the last
	// one with CompleteParts.
	BeginParts(ctx context.Context, r *PutRequest) (upload string, err error)
	PutPart(ctx context.Context, r *PartRequest) (Part, error)
	CompleteParts(ctx context.Context, r *CompleteRequest) (*Attrs, error)
	AbortParts(ctx context.Context, key, upload string) error

	// DeleteBatch answers with one slot for each request.
	DeleteBatch(ctx context.Context, r []DeleteRequest) []error
	// Locate tells where a copy finds the object; the zero value: nowhere.
	Locate(key string) ObjectRef
	// Copy copies inside the provider; r.Source.Account is this driver's own.
	// A source that is another revision than r.Source.Revision is Changed;
	// what the provider cannot copy itself is Unsupported, and streamed.
	Copy(ctx context.Context, r *CopyRequest) (*Attrs, error)
	// Compose joins sources of this bucket; errors as Copy.
	Compose(ctx context.Context, r *ComposeRequest) (*Attrs, error)
	// ListVersions is one page by key, newest first.
	ListVersions(ctx context.Context, r *ListRequest) (*VersionPage, error)
	Sign(ctx context.Context, r *SignRequest) (*SignedURL, error)
	SignForm(ctx context.Context, r *SignRequest) (*UploadForm, error)
	// Native is the provider's own client, for As; nil where there is none.
	Native() any
	// Close is called once.
	Close() error
}

// A BodyPeeker shows the bytes of a body before the body is read. The Body of a
// [PutRequest] implements it unless Size is -1, and so does that of a [PartRequest].
type BodyPeeker interface {
	// PeekAt is ReadAt for a body. The bytes count neither as read nor as progress, and
	// are not hashed.
	PeekAt(p []byte, offset int64) (n int, err error)
}

// Description is what the core needs to know of a driver. The zero value of
// every feature is "no": the core refuses with Unsupported what is not
// declared, before the driver is asked.
type Description struct {
	Provider string // "s3", "gcs", "azure", "local", "memory"
	Bucket   string
	Features Features
	// Location tells the bucket from one of the same name elsewhere: the endpoint
	// and account, or the directory, without credentials. It is the same in every
	// process.
	Location      string
	PublicBaseURL string // the provider's own address of the bucket, ending in "/"; the core adds the escaped key
	Versioned     bool   // the bucket is known to keep versions, as if it were opened WithVersions
	// StartVersions is called by New where the bucket is opened WithVersions and
	// opening decides (local, memory): from then on it keeps versions. Nil where
	// the store has been told already (clouds).
	StartVersions func()
	// TaggedRevisions says that the driver's revisions begin with Provider and
	// ":" already: what is stored so need not be built for each answer.
	TaggedRevisions bool

	// SigningBase says that the store has no address of its own: what it signs is
	// answered where WithSigningBaseURL says, by the handler of package serve.
	// Without that option no feature of signing is in force.
	SigningBase bool
	// Origin, with SigningBase, is what the handler of package serve asks about the
	// bucket: its keys, whether it is public, its CORS rules. A layer hands it on.
	Origin      any
	SigningHint string // what a bucket lacks that cannot sign: the Hint of Unsupported
	// FeatureHint says what to do about a feature that is not declared: the Hint of
	// Unsupported.
	FeatureHint string

	// FolderOrder says, in place of OrderedList, that List is in the order of a
	// directory tree, which has all of "a/…" before "a-b". The core then lists
	// folder by folder, with the delimiter "/" and Token only: one request a
	// folder at least. See walk.go for what it needs of the order in one folder.
	FolderOrder bool
	// SlashDelimiter says that List takes no delimiter but "/": for any other the
	// core lists all keys and finds the prefixes itself.
	SlashDelimiter bool
	// TokenAfterLast says that a full last page may come with a token, which leads
	// to an empty page. ListPage then asks for one entry more than it returns.
	TokenAfterLast bool

	// CountsRequests says that each HTTP request is counted where it is made, by
	// internal/transport: then driver calls are not ([Outcome.Requests]).
	CountsRequests bool

	Local         bool // answers come from this machine: no connection can stall or drop
	ASCIIMetadata bool // metadata values must be ASCII: the core encodes them (RFC 2047) and decodes them

	MaxSize     int64 // bytes of the largest object, where parts set no limit; 0: none
	MaxPutSize  int64 // bytes of the largest body of one Put; 0: no limit
	MinPartSize int64 // bytes; the last part may be smaller
	MaxPartSize int64 // bytes; 0: no limit
	MaxParts    int   // 0: no limit
	PartSize    int64 // bytes of a part where nothing else decides; 0: 5 MiB
	PartUnit    int64 // bytes; all parts but the last are a multiple of it; 0: any size
	MaxBatch    int   // requests in one DeleteBatch; 0: it has none
	MaxPage     int   // entries in one List; 0: 1,000
}

// Features are what a driver declares it can do.
type Features uint64

// The features. What is not declared answers Unsupported.
const (
	StreamPut         Features = 1 << iota // Put takes a body of unknown size, without buffering it
	UploadParts                            // BeginParts and what follows
	EqualParts                             // all parts but the last must be of one size
	ConditionalCreate                      // IfAbsent on Put, parts and Copy, atomically
	ConditionalUpdate                      // IfRevision on Put, parts and Copy, atomically
	ConditionalRemove                      // IfRevision on Delete, atomically
	UniqueRevisions                        // no two writes share a revision, not even of equal content
	ServerCopy                             // Copy, without moving bytes through this process
	ServerCompose                          // Compose, likewise
	KeepVersions                           // the store can; in force where the bucket is opened WithVersions or is known to keep them
	SignURLs                               // signed upload and download addresses
	SignContentType                        // the store enforces it; elsewhere it is a header to send
	SignSize                               // WithSize on a signed upload
	SignIfAbsent                           // IfAbsent on a signed upload
	SignForms                              // SignedUploadForm
	ObjectACL                              // WithPublicRead
	StorageClasses                         // WithStorageClass
	OrderedList                            // List is in byte order; every bucket that New accepts, with FolderOrder too
	SequentialParts                        // parts go one after the other (GCS's resumable uploads): PartRequest.Offset, CompleteRequest.Last
	SignHead                               // WithMethod(http.MethodHead): the address reads no bytes
	Metadata                               // WithMetadata; without it no write id is stored, so a lost response of a write stays OutcomeUnknown
	ContentProperties                      // WithContentType, -Encoding, -Disposition, -Language and WithCacheControl; without it the type is the key extension's
	StoredChecksums                        // reads return the CRC32C of the content that was written
	KeysBesideFolders                      // "a" and "a/b" at once; without it the driver refuses the second one with Unsupported
	LongSegments                           // segments of a key may be longer than 255 bytes
)

// Requests are filled by the core from options, and read by drivers. Fields
// that only the core reads are unexported.
type (
	// A PutRequest stores one object.
	PutRequest struct {
		Key  string
		Body io.Reader // an io.ReadSeeker unless Size is -1
		Size int64     // -1: unknown, with StreamPut only
		Properties
		PublicRead bool
		Condition  Condition
		// CRC32C is of the whole body. With StreamPut it may be nil until Body
		// has delivered its last byte, and is set then, so that it is computed
		// once; without StreamPut it is always known.
		CRC32C *uint32
		Native []any // values of this provider's own options; an unknown type is Unsupported

		set settings
	}
	// A PartRequest stores one part of an upload.
	PartRequest struct {
		Key, Upload string
		Number      int   // from 1
		Offset      int64 // bytes in the parts before it
		Body        io.ReadSeeker
		Size        int64
		CRC32C      *uint32 // as PutRequest.CRC32C
	}
	// A Part is what a PartRequest stored.
	Part struct {
		Number int
		Tag    string // opaque
		Size   int64
		CRC32C *uint32
	}
	// A CompleteRequest makes an object of the parts.
	CompleteRequest struct {
		Put    *PutRequest // as BeginParts had it; Size and CRC32C are now known, Body is nil
		Upload string
		Parts  []Part // ascending
		// Last, with SequentialParts, is the part that ends the object and is not
		// among Parts; nil elsewhere.
		Last *PartRequest
	}
	// A GetRequest reads an object or its attributes.
	GetRequest struct {
		Key, Version   string
		Offset, Length int64 // resolved: never negative, but Length -1 to the end; 0, -1: send no Range
		Suffix         int64 // > 0: the last bytes instead
		Condition      Condition
		Native         []any

		set settings
	}
	// A ListRequest asks for one page.
	ListRequest struct {
		Prefix, Delimiter, StartAfter, Token string
		Limit                                int // entries in the page; never 0 for a driver
		// Entries, where it has room, is memory that Page.Entries may use: that of
		// the page before, which nobody reads any more.
		Entries []ListEntry

		set listSettings
	}
	// A DeleteRequest removes one object or version.
	DeleteRequest struct {
		Key, Version string
		Condition    Condition

		set settings
	}
	// A CopyRequest copies inside the provider.
	CopyRequest struct {
		Source     ObjectRef
		Key        string
		Properties      // complete: the source's, with what options replaced
		Replace    bool // false: equal to the source's
		PublicRead bool
		Condition  Condition // of the destination
		Native     []any
		Resume     string // the driver's own, "" at first: how far an attempt came that failed

		set settings
	}
	// A ComposeRequest joins objects of one bucket.
	ComposeRequest struct {
		Key     string
		Sources []ObjectRef
		Size    int64   // bytes of all sources
		CRC32C  *uint32 // of all sources; nil: not known of each
		Properties
		PublicRead bool
		Condition  Condition
		Native     []any
	}
	// A SignRequest signs one request that somebody else will make.
	SignRequest struct {
		Method, Key, Version string
		TTL                  time.Duration
		BaseURL              string // where clients outside reach the store, or ""
		Properties
		PublicRead       bool
		Condition        Condition
		MinSize, MaxSize int64 // bytes; -1: unbounded
		CRC32C           *uint32
		ResponseType     string
		ResponseName     string // of an attachment; see ResponseDisposition
		// ResponseContentDisposition is the header as it is to be; "": by ResponseName.
		ResponseContentDisposition string
		Native                     []any

		set settings
	}

	// A Condition holds at most one field.
	Condition struct {
		Absent      bool
		Revision    string
		NotRevision string
	}
	// An ObjectRef names an object for a copy on the server's side. Account is
	// comparable and equal where one credential reaches both; nil is nowhere.
	ObjectRef struct {
		Account           any
		Bucket, Key       string
		Version, Revision string
		// Directory is the absolute path of the directory of this machine that holds
		// the bucket; "" if none does. Overlap compares them.
		Directory string
		// Attrs, of a source, are what a look found when it gave the Revision; a
		// driver does not look again. Nil: nobody looked. They are not its to change.
		Attrs *Attrs
	}
	// A VersionPage is one page of ListVersions.
	VersionPage struct {
		Entries []VersionEntry
		Token   string
	}
)

// UnimplementedDriver answers Unsupported to everything that a driver may leave
// out. Embed it by value.
type UnimplementedDriver struct{}

// BeginParts is Unsupported.
func (UnimplementedDriver) BeginParts(context.Context, *PutRequest) (string, error) {
	return "", Unsupported
}

// PutPart is Unsupported.
func (UnimplementedDriver) PutPart(context.Context, *PartRequest) (Part, error) {
	return Part{}, Unsupported
}

// CompleteParts is Unsupported.
func (UnimplementedDriver) CompleteParts(context.Context, *CompleteRequest) (*Attrs, error) {
	return nil, Unsupported
}

// AbortParts is Unsupported.
func (UnimplementedDriver) AbortParts(context.Context, string, string) error { return Unsupported }

// DeleteBatch is Unsupported for every request.
func (UnimplementedDriver) DeleteBatch(_ context.Context, r []DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range errs {
		errs[i] = Unsupported
	}
	return errs
}

// Locate is nowhere.
func (UnimplementedDriver) Locate(string) ObjectRef { return ObjectRef{} }

// Copy is Unsupported.
func (UnimplementedDriver) Copy(context.Context, *CopyRequest) (*Attrs, error) {
	return nil, Unsupported
}

// Compose is Unsupported.
func (UnimplementedDriver) Compose(context.Context, *ComposeRequest) (*Attrs, error) {
	return nil, Unsupported
}

// ListVersions is Unsupported.
func (UnimplementedDriver) ListVersions(context.Context, *ListRequest) (*VersionPage, error) {
	return nil, Unsupported
}

// Sign is Unsupported.
func (UnimplementedDriver) Sign(context.Context, *SignRequest) (*SignedURL, error) {
	return nil, Unsupported
}

// SignForm is Unsupported.
func (UnimplementedDriver) SignForm(context.Context, *SignRequest) (*UploadForm, error) {
	return nil, Unsupported
}

// Native is nil.
func (UnimplementedDriver) Native() any { return nil }

// Close does nothing.
func (UnimplementedDriver) Close() error { return nil }
