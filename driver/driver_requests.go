package driver

import (
	"bytes"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// Drivers get the requests below. The engine makes them from the options of a call.
type (
	// A PutRequest stores one object.
	PutRequest struct {
		Key  string
		Body io.Reader // also an io.Seeker, unless Size is -1
		Size int64     // bytes; -1 if unknown, which needs StreamingPut
		storage.Properties
		storage.Controls
		Native    []any // values of WithNative for this provider, in the order given
		Condition storage.Condition
		// CRC32C is the checksum of the whole body. If the driver declares StreamingPut or
		// Description.ChecksumWhileSending, it may be unknown until Body has delivered its last byte.
		CRC32C storage.CRC32C

		// AnyOrder is true for an upload whose parts come in any order, repeatedly, and from any
		// process. Only a driver that declares OpenUploads gets such an upload. The driver may also
		// declare SequentialParts, but the parts of such an upload are not sequential:
		// CompleteRequest.Last is nil, and PartRequest.Offset is 0. The CRC32C of
		// CompleteRequest.Put may be unknown.
		AnyOrder bool
		// UncheckedParts is true if clients send parts without a checksum. SignPart then gets no CRC32C, and
		// the store must accept such parts. It is only true together with AnyOrder.
		UncheckedParts bool
	}
	// A PartRequest stores one part of an upload.
	PartRequest struct {
		Key, Upload string
		Number      int   // 1 for the first part
		Offset      int64 // sum of the sizes of all parts before this part
		Body        io.ReadSeeker
		Size        int64
		CRC32C      storage.CRC32C // checksum of the part; may be unknown, as in PutRequest
		Native      []any          // Native of the upload's PutRequest
		AnyOrder    bool           // AnyOrder of the upload's PutRequest
		Unchecked   bool           // UncheckedParts of the upload's PutRequest
		Final       bool           // true if the object ends with this part; always false with AnyOrder
	}
	// A Part describes a part that is stored.
	Part struct {
		Number int
		Tag    string // opaque
		ETag   string // quoted, as in the response to PutPart; "" if it is Tag in quotes
		Size   int64
		CRC32C storage.CRC32C
	}
	// A CompleteRequest makes an object from the parts of an upload.
	CompleteRequest struct {
		Put    *PutRequest // request of BeginParts, but with Size and CRC32C, and without Body
		Upload string
		Parts  []Part // ascending
		// Last is the part that ends the object. Parts does not contain this part. Last is only set if the
		// driver declares SequentialParts, and otherwise nil.
		Last *PartRequest
		// Call is an id that distinguishes this call of Complete from other calls for the same upload. All
		// retries of one call have the same id. It is only set for uploads with AnyOrder.
		Call string
	}
	// A ListPartsRequest asks for the parts of an upload.
	ListPartsRequest struct {
		Key, Upload string
		After       int // asks only for parts with greater numbers
		Limit       int // largest number of parts in the page; the engine always sets it
		Native      []any
	}
	// A PartPage is one page of ListParts, in the order of Number. The CRC32C of a part is unknown
	// if the store does not report it.
	PartPage struct {
		Parts []Part
		More  bool // true if parts with greater numbers follow
	}
	// A ListUploadsRequest asks for one page of uploads.
	ListUploadsRequest struct {
		Prefix, Token string
		Limit         int // largest number of uploads in the page; the engine always sets it
	}
	// An UploadPage is one page of ListUploads. The last one has an empty Token.
	UploadPage struct {
		Uploads []storage.UploadEntry
		Token   string
	}
	// A SignPartRequest signs a request that stores one part.
	SignPartRequest struct {
		Key, Upload string
		Number      int // 1 for the first part
		TTL         time.Duration
		BaseURL     string         // see SignRequest
		Size        int64          // bytes; -1 if any size is permitted; needs SignedSize
		CRC32C      storage.CRC32C // unknown only if the upload has UncheckedParts
		Native      []any          // Native of the upload's PutRequest
	}
	// A GetRequest reads an object or its attributes.
	GetRequest struct {
		Key, Version   string
		Offset, Length int64 // bytes; Length -1 means to the end; for Offset 0 and Length -1, send no Range header
		Suffix         int64 // bytes; if above 0, the last Suffix bytes are read instead
		Condition      storage.Condition
		Native         []any
		NativeAttrs    bool // if true, set Attrs.Native to the provider's own response, if the driver has one
		// Auxiliary is true if the request is part of another operation, such as a copy or a check
		// after a write. The driver must follow three rules for this request:
		//
		//   - Native may have options of the other operation. If an option does not fit the
		//     request, the driver ignores the option.
		//   - If the engine asks for tags, the driver omits tags that a service of the store has set.
		//   - The response must not come from a cache that may be older than the bucket.
		Auxiliary bool
	}
	// A ListRequest asks for one page of a listing.
	ListRequest struct {
		Prefix, Delimiter, StartAfter, Token string
		Limit                                int // largest number of entries in the page; the engine always sets it
		// SoftDeleted is only set for ListVersions of a driver that declares SoftDelete. The page then has only
		// removed objects that soft delete has kept, with SoftDeletedUntil. An entry that Restore can select
		// has a Version.
		SoftDeleted bool
		// Entries is the slice of the previous page, or nil. List may reuse its memory for Page.Entries.
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
		Tags             map[string]string // for SetTags
		Retention        storage.Retention // for SetRetention; the zero value ends the retention
		LegalHold        bool              // for SetLegalHold
		BypassGovernance bool              // for SetRetention
		RestoreDays      int               // for Restore
		RestoreTier      string            // for Restore, in the provider's terms; "" means the standard tier
		SoftDeleted      bool              // for Restore: brings back a removed object; needs SoftDelete
		Native           []any
	}
	// A CopyRequest copies an object within the provider.
	CopyRequest struct {
		Source             ObjectRef
		Key                string
		storage.Properties      // all properties of the copy, even unchanged ones; empty if Source.Attrs is nil
		Replace            bool // true if Properties differ from those of the source
		// Controls has a field Tags with all tags of the copy. If the driver declares
		// Description.CopiesTags, the store itself copies tags. The field then has only tags that
		// replace the tags of the source.
		storage.Controls
		Native []any // values of WithNative for this provider, in the order given
		// ReplaceTags is true if the tags of the copy differ from those of the source.
		ReplaceTags bool
		Condition   storage.Condition // condition on the destination
		// Resume says how far a failed attempt of this copy came, in the driver's own form. It is "" in the
		// first attempt.
		Resume string
	}
	// A ComposeRequest joins objects of one bucket.
	ComposeRequest struct {
		Key     string
		Sources []ObjectRef
		// Tail has bytes that follow the sources, for Append. It is only set if the driver declares
		// ServerAppend. There is then exactly one source, which is the object that Append replaces. Condition
		// has the revision of that source.
		Tail   []byte
		Size   int64          // bytes of all sources and of Tail together
		CRC32C storage.CRC32C // checksum of all bytes; unknown if the checksum of a source is unknown
		// Unchanged is true if the request only appends Tail. Then Properties are those of the source, except
		// the write id, and Controls has only the tags of the source.
		Unchanged bool
		storage.Properties
		storage.Controls
		Native    []any // values of WithNative for this provider, in the order given
		Condition storage.Condition
	}
	// A MoveRequest moves an object within one bucket.
	MoveRequest struct {
		From, Key string
		Condition storage.Condition // condition on the destination
	}
	// A SignRequest signs one request that somebody else will make.
	SignRequest struct {
		Method, Key, Version string // GET, HEAD, PUT or DELETE; POST for a form
		TTL                  time.Duration
		// StableFor is the window of time in which every call must return the same URL. 0 means that URLs may
		// differ. It is only set if the driver declares StableURLs. See Term.
		StableFor time.Duration
		BaseURL   string // address at which clients reach the store, or "" for the store's own address
		storage.Properties
		storage.Controls
		Native           []any // values of WithNative for this provider, in the order given
		Condition        storage.Condition
		MinSize, MaxSize int64 // bytes; -1 means no bound
		CRC32C           storage.CRC32C
		ResponseType     string
		ResponseName     string // file name of an attachment; see ResponseDisposition
		// ResponseContentDisposition is the whole header. If it is "", ResponseName is used.
		ResponseContentDisposition string
		// ResponseCacheControl is the Cache-Control of the response. If it is "", the response has that of the
		// object. A store that cannot replace the header ignores this field.
		ResponseCacheControl string
	}
	// A VendRequest asks for credentials that permit access to the keys under a prefix. The prefix
	// is "" or ends in "/".
	VendRequest struct {
		Prefix string
		Rights storage.Rights // at least one right is true
		TTL    time.Duration  // from 15 minutes to 12 hours
	}

	// An ObjectRef names an object for a server-side copy. If two objects have equal Accounts, one
	// credential reaches both. Account must be comparable. If it is nil, no server can copy the
	// object.
	ObjectRef struct {
		Account           any
		Bucket, Key       string
		Version, Revision string
		// Directory is the absolute path of the local directory that holds the bucket, or "". The function
		// Overlap compares it.
		Directory string
		Native    []any // options for reading the source; see WithSourceNative
		// Attrs are the attributes of the source at Revision, so that the driver need not request them. Attrs
		// is nil if the engine has not read them. The driver must not change them.
		Attrs *storage.Attrs
	}
	// A VersionPage is one page of ListVersions.
	VersionPage struct {
		Entries []storage.VersionEntry
		Token   string
	}
)

// TailPart returns the request that sends r.Tail, the bytes of Append, as the part with the number of a
// multipart upload. upload is the store's id of that upload.
func (r *ComposeRequest) TailPart(upload string, number int) *PartRequest {
	return &PartRequest{
		Key:    r.Key,
		Upload: upload,
		Number: number,
		Body:   bytes.NewReader(r.Tail),
		Size:   int64(len(r.Tail)),
		CRC32C: storage.CRC32C{Sum: crc32c.Sum(r.Tail), Known: true},
		Native: r.Native,
	}
}

// Span returns the range of bytes that r requests of an object of the given size. from is the
// offset of the first byte, and to is the offset after the last byte. If the offset is past the
// end, Span fails with RangeNotSatisfiable.
func (r *GetRequest) Span(size int64) (from, to int64, err error) {
	return (&storage.DownloadOptions{Offset: r.Offset, Length: r.Length, Suffix: r.Suffix}).Span(size)
}
