package storage

import (
	"fmt"
	"math/bits"
	"strings"
)

// Features are the abilities of a store, as its driver declares them, one bit for each ability.
type Features uint64

// The comment of each feature lists the options and functions that need the feature.
const (
	MultipartUploads  Features = 1 << iota // for WithPartSize and WithDefaultPartSize
	ConditionalCreate                      // for IfAbsent and Update, in one atomic step
	ConditionalUpdate                      // for IfRevision on writes and Update, in one atomic step
	ConditionalRemove                      // for IfRevision on Remove, in one atomic step
	UniqueRevisions                        // no two writes have the same revision, even if the content is equal
	ServerCopy                             // for Copy without moving bytes through this process
	ServerCompose                          // for Compose without moving bytes through this process
	// Versioning is for Versions, WithVersion and RemoveVersions. A bucket has the feature if it is
	// opened WithVersioning, or if the library knows that it keeps versions.
	Versioning
	SignedURLs        // for signed upload and download URLs
	SignedContentType // the store enforces WithContentType; without this feature, a client can send another type
	SignedSize        // for WithSize on a signed upload
	SignedIfAbsent    // for IfAbsent on a signed upload
	SignedForms       // for SignedUploadForm
	ObjectACLs        // for WithPublicRead
	StorageClasses    // for WithStorageClass
	SignedHead        // for WithMethod(http.MethodHead); such a URL cannot read bytes
	// Metadata is for WithMetadata. In a store without this feature, the library cannot recognize its own write: a
	// conditional write whose response is lost fails with OutcomeUnknown.
	Metadata
	// ContentProperties is for WithContentType, -Encoding, -Disposition, -Language and WithCacheControl. On a store
	// without this feature, the content type follows from the key's extension.
	ContentProperties
	StoredChecksums // reads return the CRC32C of the whole content as it was written
	// KeysBesideFolders means that "a" and "a/b" can exist at the same time. In a store without
	// this feature, writing the second of the two fails with Unsupported.
	KeysBesideFolders
	LongSegments // segments of a key may be longer than 255 bytes
	ObjectTags   // for WithTags, Tags and SetTags
	// ObjectLock is for WithRetention, WithLegalHold, SetRetention and SetLegalHold. A store with
	// this feature may still have buckets that were made without object lock.
	ObjectLock
	Restoring           // for Restore
	SignedTags          // for WithTags on a signed upload; a client can neither leave out the tags nor change them
	SignedLocks         // for WithRetention and WithLegalHold on a signed upload; a client must send them unchanged
	OpenUploads         // for BeginUpload, whose parts may come in any order, repeatedly, and from any process
	SignedParts         // for SignPart; a store with this feature also has OpenUploads
	ListedUploads       // for ListUploads
	SignedPartChecksums // the store enforces WithCRC32C on a signed part
	// LeadingSlashes means that "/a" and "a" are different keys. Other tools may write keys that begin with "/". In a
	// store without this feature, keys and prefixes that begin with "/" fail with Unsupported.
	LeadingSlashes
	ServerMove     // Move makes one request, which moves the object in one step
	SoftDelete     // for WithSoftDeleted; only useful if the bucket keeps removed objects
	OrderedListing // listings are in byte order; without it, List needs WithAnyOrder
	ServerAppend   // for Append without moving the object's bytes through this process
	SignedRemovals // for SignedRemoveURL
	// StableURLs is for WithStableFor, which fails with Unsupported if the credentials are temporary. Some buckets
	// learn that only at their first call, and have this feature before it.
	StableURLs
	Vending // for Vend; the store enforces prefix, rights and expiry
)

// featureNames has the name of each feature at the index of its bit.
var featureNames = [64]string{
	"MultipartUploads", "ConditionalCreate", "ConditionalUpdate", "ConditionalRemove", "UniqueRevisions",
	"ServerCopy", "ServerCompose", "Versioning", "SignedURLs", "SignedContentType", "SignedSize", "SignedIfAbsent",
	"SignedForms", "ObjectACLs", "StorageClasses", "SignedHead", "Metadata", "ContentProperties", "StoredChecksums",
	"KeysBesideFolders", "LongSegments", "ObjectTags", "ObjectLock", "Restoring", "SignedTags", "SignedLocks",
	"OpenUploads", "SignedParts", "ListedUploads", "SignedPartChecksums", "LeadingSlashes", "ServerMove", "SoftDelete",
	"OrderedListing", "ServerAppend", "SignedRemovals", "StableURLs", "Vending",
	60: "LateMetadata", "SequentialParts", "EqualParts", "StreamingPut", // features that only package driver declares
}

// String returns the names of the features, such as "ConditionalCreate, Versioning", or "none".
func (f Features) String() string {
	if f == 0 {
		return "none"
	}
	var names []string
	for feature := range f.each {
		names = append(names, feature.name())
	}
	return strings.Join(names, ", ")
}

// name returns the name of one feature.
func (f Features) name() string {
	name := featureNames[bits.TrailingZeros64(uint64(f))]
	if name == "" {
		// This bit stands for no feature.
		return fmt.Sprintf("%#x", uint64(f))
	}
	return name
}

// each yields every feature in f, as a value with one bit.
func (f Features) each(yield func(Features) bool) {
	for i := range featureNames {
		feature := f & (1 << i)
		if feature != 0 && !yield(feature) {
			return
		}
	}
}
