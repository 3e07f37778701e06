package driver

import (
	"time"

	"github.com/omnibucket/storage"
)

// A Description tells the core about a driver. The core refuses with Unsupported, before
// the driver is asked, everything that Features does not declare.
type Description struct {
	Provider string // "s3", "gcs", "azure", "local", "memory"
	Bucket   string
	Features storage.Features
	// Location distinguishes the bucket from one of the same name elsewhere: the endpoint
	// and account, or the directory, without credentials. It must be the same in every
	// process.
	Location string
	// Places returns where the objects are, in each store that the bucket has. A layer with a second store adds the
	// places of that store. A layer that overrides Locate returns the places of the driver below: see [PlacesOf].
	// If Places is nil, the core asks Locate. Jobs compare places before they remove anything: if a place is
	// missing, they may remove the last copy of an object.
	Places func() []Place
	// Stack has one text for each layer that changes the bytes of objects or has a second store, from the store
	// outwards. It has the layer's kind and what distinguishes it from another one, such as a public key or the
	// identity of the second store, without secrets. Such a layer appends to it. See [StackIdentity].
	Stack         []string
	PublicBaseURL string // the provider's own address of the bucket, ending in "/"; the core adds the escaped key
	Versioned     bool   // the bucket is known to keep versions, as if it were opened WithVersioning
	// EnableVersions makes the bucket keep versions from now on. New calls it if the bucket is opened
	// WithVersioning. If it is nil, the store decides itself, as a cloud does, and needs the feature.
	EnableVersions func()
	// EnableObjectLock makes the bucket keep versions and lock objects. New calls it if the bucket is
	// opened WithObjectLock. If it is nil, the store decides itself, as a cloud does, and needs the
	// feature.
	EnableObjectLock func()
	// EnableSoftDelete makes the bucket keep what is removed for a time. New calls it if the bucket is
	// opened WithSoftDelete. If it is nil, the store decides itself, as a cloud does, and needs the
	// feature.
	EnableSoftDelete func(keep time.Duration)
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
	// OrderHint is the Hint if List turns out to be in another order than declared: what to do
	// about it.
	OrderHint string

	// FolderOrder declares, in place of OrderedListing, that List is in the order of a
	// directory tree, which has all of "a/…" before "a-b". The core then lists folder by
	// folder, with the delimiter "/" and Token only: at least one request for each folder.
	// In one folder, List must be in the order of names, in which "a/" counts as "a", or in
	// byte order.
	FolderOrder bool
	// StartsAfter, beside OrderedListing, reports whether List with StartAfter is known to return
	// everything after it. If it is not, the core lists from the start of the prefix and drops
	// the entries up to it. If it is nil, List always does.
	StartsAfter func() bool
	// FolderPrefixes declares that List takes only prefixes that are empty or end in "/". The core
	// lists the folder of any other prefix, and drops the rest.
	FolderPrefixes bool
	// SlashDelimiter declares that List takes only the delimiter "/". For any other, the core lists
	// all keys and finds the prefixes itself, or, without OrderedListing, fails with Unsupported.
	SlashDelimiter bool
	// TokenAfterLast declares that a full last page may have a token, which leads to an
	// empty page. ListPage then requests one entry more than it returns.
	TokenAfterLast bool

	// TagsByHead declares that Attrs of Get lack the TagCount, which those of Head have.
	TagsByHead bool
	// CopiesTags declares that Copy keeps the source's tags, however many there are, unless
	// CopyRequest.ReplaceTags is true. The core then does not read them for it, and
	// CopyRequest.Tags has only tags that replace them.
	CopiesTags bool
	// CopiesWithoutAttrs declares that Copy takes a source without Attrs and Revision. It copies one
	// revision with its tags and properties, except the storage class. If it fails for a reason
	// that lasts, such as Unsupported, the core reads the attributes and calls Copy again.
	CopiesWithoutAttrs bool
	// AttributesAtBegin declares that BeginParts gives the store the attributes, tags and locks of the
	// object. CompleteParts ignores them. Otherwise CompleteParts gives them.
	AttributesAtBegin bool

	// HiddenMetadata are the names of metadata that a layer keeps for itself. Servers must neither show
	// nor take them; the core does neither with any name that begins with "omnibucket". A server then keeps
	// nothing in metadata that depends on the bytes of an object.
	HiddenMetadata []string

	// FixedParts declares that a part must not be sent again with other bytes. If the body has
	// changed since an earlier call has sent the part, the core begins another upload.
	FixedParts bool

	// CheckNative accepts a value of WithNative, or says why not. The value of another driver's
	// option is Unsupported. It is nil if the driver has no options of its own.
	CheckNative func(value any) error

	// ChecksumWhileSending declares that Put and PutPart take a body of known size whose CRC32C
	// is known only when it has ended, so that it is read once. StreamingPut includes it.
	ChecksumWhileSending bool
	// PartChecksumWhileSending is ChecksumWhileSending for PutPart only.
	PartChecksumWhileSending bool
	// CountsRequests declares that the transport counts HTTP requests. Else
	// [storage.Outcome.Requests] counts driver calls.
	CountsRequests bool

	Local         bool // the store is on this machine: no connection can stall or drop
	ASCIIMetadata bool // metadata values must be ASCII: the core encodes them (RFC 2047) and decodes them

	MaxSize     int64 // bytes of the largest object, if parts set no limit; 0 if there is none
	MaxPutSize  int64 // bytes of the largest body of one Put; 0 if there is no limit
	MinPartSize int64 // bytes; the last part may be smaller
	MaxPartSize int64 // bytes; 0 if there is no limit
	MaxParts    int   // 0 if there is no limit
	PartSize    int64 // bytes of a part if nothing else decides; 0 means 5 MiB
	PartUnit    int64 // bytes; all parts but the last are a multiple of it; 0 means any size
	// OpenUploadLimits are the bounds of the parts of uploads with AnyOrder; nil if those above hold.
	OpenUploadLimits *storage.PartLimits
	MaxBatch         int // requests in one DeleteBatch; 0 if there are no batches
	MaxPage          int // entries in one List; 0 means 1,000
	MaxEmptyPages    int // pages in a row without a new entry, before the listing is Unavailable; 0 means 100
}
