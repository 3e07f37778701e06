package driver

import (
	"time"

	"github.com/omnibucket/storage"
)

// A Description tells the engine about a driver. If Features does not declare what a call needs, the
// call fails with Unsupported, and does not reach the driver.
type Description struct {
	Provider string // "s3", "gcs", "azure", "local", "memory"
	Bucket   string
	Features storage.Features
	// Location distinguishes the bucket from a bucket with the same name elsewhere. It has the
	// endpoint and account, or the directory, without credentials. It must be the same in every
	// process.
	Location string
	// Places returns where the objects of the bucket are. A layer with a second store adds the
	// places of that store. A layer that overrides Locate returns the places of the driver below:
	// see [PlacesOf]. If Places is nil, the engine calls Locate instead.
	//
	// Jobs compare places before they remove anything. If the result lacks a place, a job may
	// remove the last copy of an object.
	Places func() []Place
	// Stack identifies the layers that change the bytes of objects or have a second store. Each
	// such layer appends one text. The first text is from the layer next to the store. A text has
	// the kind of the layer, and a value that differs between layers of this kind. The value is for
	// example a public key, or the identity of the second store. A text has no secrets. See
	// [StackIdentity].
	Stack         []string
	PublicBaseURL string // the provider's address of the bucket, ending in "/"; the engine adds the escaped key
	Versioned     bool   // true if the bucket is known to keep versions, even if it is opened without WithVersioning
	ReadOnly      bool   // true if all changes are refused, as by the layer readonly
	// EnableVersions makes the bucket keep versions. engine.New calls it if the bucket is opened
	// WithVersioning. If it is nil, the store decides whether it keeps versions, as a cloud does.
	// Then WithVersioning needs the feature Versioning.
	EnableVersions func()
	// EnableObjectLock makes the bucket keep versions and lock objects. engine.New calls it if the
	// bucket is opened WithObjectLock. If it is nil, the store decides whether it locks objects, as
	// a cloud does. Then WithObjectLock needs the feature ObjectLock.
	EnableObjectLock func()
	// EnableSoftDelete makes the bucket keep removed objects for a time. engine.New calls it if the
	// bucket is opened WithSoftDelete. In a cloud, the bucket itself has a setting for soft delete.
	// For such a bucket, EnableSoftDelete is nil, and WithSoftDelete needs the feature SoftDelete.
	EnableSoftDelete func(keep time.Duration)
	// TaggedRevisions declares that the driver's revisions already begin with Provider and ":". The
	// engine then adds nothing to them, which saves memory for each response.
	TaggedRevisions bool

	// NeedsSigningBase declares that the store has no address of its own. Signed requests go to the handler of package
	// serve, at the address of WithSigningBaseURL. Without that option, the bucket lacks all features of signing.
	NeedsSigningBase bool
	// Origin has what the handler of package serve needs to know about the bucket: the keys that
	// sign, whether the bucket is public, and its CORS rules. It is only set together with
	// NeedsSigningBase. A layer passes it on, or sets it to nil if the signed requests would bypass
	// what the layer does.
	Origin      any
	SigningHint string // hint of the error if signing is Unsupported; says what the bucket lacks
	VendingHint string // hint of the error if Vend is Unsupported; says what the configuration lacks
	// FeatureHint is the hint of the error if a feature is not declared. It says what the caller
	// can do.
	FeatureHint string
	// OrderHint is the hint of the error if List turns out not to be in the declared order. It says
	// what the caller can do.
	OrderHint string

	// FolderOrder declares that List returns keys in the order of a directory tree. A driver
	// declares either FolderOrder or OrderedListing. In the order of a directory tree, all keys in
	// the folder "a/" come before the key "a-b".
	//
	// The engine lists one folder after the other, with at least one request for each folder. These
	// requests have the delimiter "/" and may have a Token, but no StartAfter. Within a folder,
	// List may return the entry "a/" as if it were "a/" or as if it were "a". Apart from that, the
	// entries must be in byte order.
	FolderOrder bool
	// StartsAfter reports whether List supports the field StartAfter of a request, and so returns
	// all entries after the key in that field. If the result is false, the engine leaves the field
	// empty, lists from the start of the prefix, and drops the entries up to the key. If this
	// function is nil, List must always support the field. The engine calls this function only if
	// the driver declares OrderedListing.
	StartsAfter func() bool
	// FolderPrefixes declares that List accepts only prefixes that are empty or end in "/". For any
	// other prefix, the engine lists the folder that contains it, and drops the entries without the
	// prefix.
	FolderPrefixes bool
	// SlashDelimiter declares that List accepts only the delimiter "/". For any other delimiter,
	// the engine lists all keys and finds the common prefixes itself. Without OrderedListing, it
	// fails with Unsupported instead.
	SlashDelimiter bool
	// TokenAfterLast declares that the last page may have a token if it is full. That token leads
	// to an empty page. To avoid the empty page, ListPage requests one entry more than it returns.
	TokenAfterLast bool

	// TagsByHead declares that Head returns the TagCount, but Get does not.
	TagsByHead bool
	// CopiesTags declares that the store copies the tags of the source, so that the engine need not
	// read them. If CopyRequest.ReplaceTags is true, the copy gets the tags in CopyRequest.Tags
	// instead.
	CopiesTags bool
	// CopiesWithoutAttrs declares that Copy accepts a source without Attrs and Revision. For such a
	// source, Copy copies one revision with its tags and properties, except the storage class. If
	// Copy fails with an error that is not temporary, such as Unsupported, the engine reads the
	// attributes and calls Copy again.
	CopiesWithoutAttrs bool
	// AttributesAtBegin declares that BeginParts passes the attributes, tags and locks of the
	// object to the store, and that CompleteParts ignores them. Otherwise CompleteParts passes
	// them.
	AttributesAtBegin bool

	// HiddenMetadata are the names of metadata that a layer keeps for itself. Servers must neither
	// show these names to clients nor accept them from clients. Names that begin with "omnibucket"
	// need not be listed, because the engine always hides them.
	//
	// A layer with hidden names may encrypt objects. The store must not learn a checksum of the
	// plain bytes. If HiddenMetadata is not empty, servers therefore add no checksum to the
	// metadata, and no other value that is computed from an object's bytes.
	HiddenMetadata []string

	// FixedParts declares that a part must not be sent again with other bytes. If the body has
	// changed since an earlier call sent the part, the engine begins another upload.
	FixedParts bool

	// CheckNative returns nil if the driver accepts a value of WithNative, and otherwise the reason
	// why not. For a value that belongs to another driver, the reason is Unsupported. A driver
	// without options of its own leaves CheckNative nil.
	CheckNative func(value any) error

	// ChecksumWhileSending declares that Put and PutPart accept a body of known size whose CRC32C
	// is only known when the body ends. The engine then reads each body only once. A driver that
	// declares StreamingPut need not set it.
	ChecksumWhileSending bool
	// PartChecksumWhileSending declares the same as ChecksumWhileSending, but for PutPart only.
	PartChecksumWhileSending bool
	// CountsRequests declares that the transport counts HTTP requests. Otherwise [storage.Outcome.Requests] counts
	// calls of the driver.
	CountsRequests bool

	Local         bool // true if the store is on this machine, so that no connection can stall or drop
	ASCIIMetadata bool // true if metadata values must be ASCII; the engine then encodes and decodes them (RFC 2047)

	MaxSize     int64 // limit for an object in bytes, besides the limits of parts; 0 if there is no such limit
	MaxPutSize  int64 // largest body of one Put in bytes; 0 if there is no limit
	MinPartSize int64 // smallest part in bytes; the last part may be smaller
	MaxPartSize int64 // largest part in bytes; 0 if there is no limit
	MaxParts    int   // largest number of parts; 0 if there is no limit
	PartSize    int64 // default size of a part in bytes; 0 means 5 MiB
	PartUnit    int64 // bytes; each part but the last has a multiple of this size; 0 means any size
	// OpenUploadLimits are the limits of parts for uploads with PutRequest.AnyOrder. If it is nil,
	// the limits above hold for them, too.
	OpenUploadLimits *storage.PartLimits
	MaxBatch         int // most requests in one DeleteBatch; 0 if the driver has no batches
	MaxPage          int // most entries in one page of List; 0 means 1,000
	// MaxEmptyPages is a number of consecutive pages without a new entry. After this number, a
	// listing fails with Unavailable. The value 0 means 100.
	MaxEmptyPages int
}
