package storage

// Features are the abilities of a store, as its driver declares them.
type Features uint64

// The features, and the options and functions that need them.
const (
	MultipartUploads  Features = 1 << iota // WithPartSize, WithDefaultPartSize
	ConditionalCreate                      // IfAbsent, Update; atomically
	ConditionalUpdate                      // IfRevision on writes, Update; atomically
	ConditionalRemove                      // IfRevision on Remove, atomically
	UniqueRevisions                        // no two writes share a revision, not even of equal content
	ServerCopy                             // Copy, without moving bytes through this process
	ServerCompose                          // Compose, without moving bytes through this process
	// Versioning is for Versions, WithVersion and RemoveVersions. It is in force if the bucket is opened
	// WithVersioning, or is known to keep versions.
	Versioning
	SignedURLs        // signed upload and download addresses
	SignedContentType // the store enforces WithContentType; else it is only a header to send
	SignedSize        // WithSize on a signed upload
	SignedIfAbsent    // IfAbsent on a signed upload
	SignedForms       // SignedUploadForm
	ObjectACLs        // WithPublicRead
	StorageClasses    // WithStorageClass
	SignedHead        // WithMethod(http.MethodHead): the address cannot read bytes
	// Metadata is for WithMetadata. Without it no write id is stored, so that a lost response of a conditional write
	// stays OutcomeUnknown.
	Metadata
	// ContentProperties is for WithContentType, -Encoding, -Disposition, -Language and WithCacheControl. Without it the
	// type is that of the key's extension.
	ContentProperties
	StoredChecksums // reads return the CRC32C of the content that was written
	// KeysBesideFolders means that "a" and "a/b" can be stored at once. Without it the driver refuses the second one
	// with Unsupported.
	KeysBesideFolders
	LongSegments // segments of a key may be longer than 255 bytes
	ObjectTags   // WithTags, Tags, SetTags
	// ObjectLock is for WithRetention, WithLegalHold, SetRetention and SetLegalHold. A bucket may be made without it.
	ObjectLock
	Restoring // Restore
	// SignedTags is for WithTags on a signed upload. A client can neither leave out the tags nor change them.
	SignedTags
	SignedLocks         // WithRetention and WithLegalHold on a signed upload, likewise
	OpenUploads         // BeginUpload: parts come in any order, again, and from any process
	SignedParts         // SignPart, with OpenUploads
	ListedUploads       // ListUploads
	SignedPartChecksums // WithCRC32C on a signed part, enforced
	// LeadingSlashes means that "/a", which other tools may have written, is not "a". Without it, keys and prefixes
	// that begin with "/" are Unsupported.
	LeadingSlashes
	ServerMove     // Move is one request, in one step
	SoftDelete     // WithSoftDeleted; of use if the bucket keeps what is removed
	OrderedListing // listings are in byte order; without it, List needs WithAnyOrder
	ServerAppend   // Append, without moving the object's bytes through this process
)

// ordinary are the features that only unusual stores lack.
const ordinary = Metadata | ContentProperties | KeysBesideFolders | LongSegments | OrderedListing

// Supports reports whether b, a [Bucket] or a permission of one, has all of features. A
// type of your own has [Metadata], [ContentProperties], [KeysBesideFolders], [LongSegments]
// and [OrderedListing].
func Supports(b any, features Features) bool {
	if f, ok := b.(*front); ok {
		return f.core != nil && f.core.Supports(features)
	}
	return b != nil && ordinary&features == features
}
