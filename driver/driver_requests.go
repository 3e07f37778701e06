package driver

import (
	"bytes"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// The core fills requests from options, and drivers read them.
type (
	// A PutRequest stores one object.
	PutRequest struct {
		Key  string
		Body io.Reader // an io.ReadSeeker unless Size is -1
		Size int64     // -1 if it is not known, which needs StreamingPut
		storage.Properties
		storage.Controls
		Native    []any // values of WithNative of this provider, in order
		Condition storage.Condition
		// CRC32C is the checksum of the whole body. With StreamingPut or
		// Description.ChecksumWhileSending it may be unknown until Body has delivered its last
		// byte, so that it is computed only once. Else it is always known.
		CRC32C storage.CRC32C

		// AnyOrder, with OpenUploads, is set for an upload whose parts come in any order, again,
		// and from any process, also with SequentialParts. CompleteRequest.Last is nil then, and
		// PartRequest.Offset is 0. CRC32C of CompleteRequest.Put may be unknown.
		AnyOrder bool
		// UncheckedParts is set, with AnyOrder, if clients send parts without a checksum: SignPart
		// then gets no CRC32C, and the store must take such parts.
		UncheckedParts bool
	}
	// A PartRequest stores one part of an upload.
	PartRequest struct {
		Key, Upload string
		Number      int   // the first part is 1
		Offset      int64 // bytes in the parts before it
		Body        io.ReadSeeker
		Size        int64
		CRC32C      storage.CRC32C // the part's checksum; see PutRequest.CRC32C
		Native      []any          // what BeginParts has got
		AnyOrder    bool           // what BeginParts has got
		Unchecked   bool           // PutRequest.UncheckedParts of the upload
		Final       bool           // whether the object ends with this part; false with AnyOrder
	}
	// A Part describes a part that is stored.
	Part struct {
		Number int
		Tag    string // opaque
		ETag   string // quoted, as in the response to the part's request; "" if it is Tag in quotes
		Size   int64
		CRC32C storage.CRC32C
	}
	// A CompleteRequest makes an object of the parts.
	CompleteRequest struct {
		Put    *PutRequest // the request of BeginParts, with Size and CRC32C, and without Body
		Upload string
		Parts  []Part // ascending
		// Last, with SequentialParts, is the part that ends the object; it is not among
		// Parts. Else it is nil.
		Last *PartRequest
		// Call, with AnyOrder, distinguishes this call of Complete from other ones of the same
		// upload. It is the same if the request is repeated.
		Call string
	}
	// A ListPartsRequest asks for the parts of an upload.
	ListPartsRequest struct {
		Key, Upload string
		After       int // only parts with greater numbers
		Limit       int // parts in the page, at most; never 0 for a driver
		Native      []any
	}
	// A PartPage is one page of ListParts, ascending. CRC32C is unknown if the store does not
	// tell it.
	PartPage struct {
		Parts []Part
		More  bool // parts with greater numbers follow
	}
	// A ListUploadsRequest asks for one page of uploads.
	ListUploadsRequest struct {
		Prefix, Token string
		Limit         int // never 0 for a driver
	}
	// An UploadPage is one page of ListUploads. The last one has an empty Token.
	UploadPage struct {
		Uploads []storage.UploadEntry
		Token   string
	}
	// A SignPartRequest signs a request that stores one part.
	SignPartRequest struct {
		Key, Upload string
		Number      int // the first part is 1
		TTL         time.Duration
		BaseURL     string         // see SignRequest
		Size        int64          // bytes, with SignedSize; -1 if unbounded
		CRC32C      storage.CRC32C // known, unless the upload has UncheckedParts
		Native      []any          // what BeginParts has got
	}
	// A GetRequest reads an object or its attributes.
	GetRequest struct {
		Key, Version   string
		Offset, Length int64 // if Length is -1, to the end; if Offset is 0 too, send no Range
		Suffix         int64 // if above 0, the last bytes are read instead
		Condition      storage.Condition
		Native         []any
		NativeAttrs    bool // fill Attrs.Native, if the driver has answers of its own
		// Auxiliary is true if the request is part of another operation, such as a write whose
		// response was lost: an option in Native that does not fit Head is not a mistake. A copy
		// sets it for Tags, which then leave out those that a service of the store has set. Within
		// one bucket it sets it for its source, which must not be older than what the bucket has.
		Auxiliary bool
	}
	// A ListRequest asks for one page.
	ListRequest struct {
		Prefix, Delimiter, StartAfter, Token string
		Limit                                int // entries in the page; never 0 for a driver
		// SoftDeleted is set, with SoftDelete, for ListVersions: the page has only what was removed
		// for good, with SoftDeletedUntil. An entry that Restore can select has a Version.
		SoftDeleted bool
		// Entries has memory that Page.Entries may use: the previous page's slice.
		Entries []storage.ListEntry
	}
	// A DeleteRequest removes one object or version.
	DeleteRequest struct {
		Key, Version     string
		Condition        storage.Condition
		BypassGovernance bool
		Native           []any
	}
	// A ChangeRequest is the request of SetTags, SetRetention, SetLegalHold and Restore.
	ChangeRequest struct {
		Key, Version     string
		Tags             map[string]string // SetTags
		Retention        storage.Retention // SetRetention; zero if there is none
		LegalHold        bool              // SetLegalHold
		BypassGovernance bool              // SetRetention
		RestoreDays      int               // Restore
		RestoreTier      string            // Restore, in the provider's words; "" for its standard
		SoftDeleted      bool              // Restore: bring back what was removed for good; with SoftDelete
		Native           []any
	}
	// A CopyRequest copies inside the provider.
	CopyRequest struct {
		Source             ObjectRef
		Key                string
		storage.Properties       // complete: the source's, with what options replaced; empty if Source.Attrs is nil
		Replace            bool  // whether they differ from the source's
		storage.Controls         // Tags are complete: the source's (none with Description.CopiesTags), or those that replace them
		Native             []any // values of WithNative of this provider, in order
		// ReplaceTags is false if the tags are the source's.
		ReplaceTags bool
		Condition   storage.Condition // what must hold for the destination
		Resume      string            // the driver's own: how far a failed attempt came; "" in the first attempt
	}
	// A ComposeRequest joins objects of one bucket.
	ComposeRequest struct {
		Key     string
		Sources []ObjectRef
		// Tail, with ServerAppend, are bytes that follow the sources. There is one source then: the object that is
		// replaced, whose Revision is the Condition.
		Tail   []byte
		Size   int64          // bytes of all sources and of Tail
		CRC32C storage.CRC32C // the checksum of all bytes; unknown if that of a source is
		// Unchanged is set, with Tail, if Properties are the source's but for the write id, and Controls its tags.
		Unchanged bool
		storage.Properties
		storage.Controls
		Native    []any // values of WithNative of this provider, in order
		Condition storage.Condition
	}
	// A MoveRequest moves an object within one bucket.
	MoveRequest struct {
		From, Key string
		Condition storage.Condition // what must hold for the destination
	}
	// A SignRequest signs one request that somebody else will make.
	SignRequest struct {
		Method, Key, Version string
		TTL                  time.Duration
		BaseURL              string // where outside clients reach the store, or ""
		storage.Properties
		storage.Controls
		Native           []any // values of WithNative of this provider, in order
		Condition        storage.Condition
		MinSize, MaxSize int64 // bytes; -1 if unbounded
		CRC32C           storage.CRC32C
		ResponseType     string
		ResponseName     string // the name of an attachment; see ResponseDisposition
		// ResponseContentDisposition is the whole header; if it is "", ResponseName decides.
		ResponseContentDisposition string
	}

	// An ObjectRef names an object for a server-side copy. Account is comparable, and equal
	// if one credential reaches both objects; nil means nowhere.
	ObjectRef struct {
		Account           any
		Bucket, Key       string
		Version, Revision string
		// Directory is the absolute path of the local directory that holds the bucket, for
		// Overlap; "" if there is none.
		Directory string
		Native    []any // options of reading the source; see WithSourceNative
		// Attrs are those of the source at Revision, so that the driver need not request them;
		// nil if they were not read. The driver must not change them.
		Attrs *storage.Attrs
	}
	// A VersionPage is one page of ListVersions.
	VersionPage struct {
		Entries []storage.VersionEntry
		Token   string
	}
)

// TailPart returns Tail as a part of an upload.
func (r *ComposeRequest) TailPart(upload string, number int) *PartRequest {
	return &PartRequest{
		Key: r.Key, Upload: upload, Number: number, Body: bytes.NewReader(r.Tail), Size: int64(len(r.Tail)),
		CRC32C: storage.CRC32C{Sum: crc32c.Sum(r.Tail), Known: true}, Native: r.Native,
	}
}

// Span returns which bytes of an object of size bytes r asks for: from is the first one, to is
// past the last one. If the offset is past the end, it fails with RangeNotSatisfiable. It is
// for drivers that have the size.
func (r *GetRequest) Span(size int64) (from, to int64, err error) {
	return (&storage.DownloadOptions{Offset: r.Offset, Length: r.Length, Suffix: r.Suffix}).Span(size)
}
