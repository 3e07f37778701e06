package storage

// Features are the abilities of a store, as its driver declares them.
type Features uint64

// The features, and the options and functions that need them.
const (
	MultipartUploads    Features = 1 << iota // WithPartSize, WithDefaultPartSize
	ConditionalCreate                        // IfAbsent, Update; atomically
	ConditionalUpdate                        // IfRevision on writes, Update; atomically
	ConditionalRemove                        // IfRevision on Remove, atomically
	UniqueRevisions                          // no two writes share a revision, not even of equal content
	ServerCopy                               // Copy, without moving bytes through this process
	ServerCompose                            // Compose, without moving bytes through this process
	Versioning                               // Versions, WithVersion, RemoveVersions; in force if the bucket is opened WithVersioning or is known to keep them
	SignedURLs                               // signed upload and download addresses
	SignedContentType                        // the store enforces WithContentType; else it is only a header to send
	SignedSize                               // WithSize on a signed upload
	SignedIfAbsent                           // IfAbsent on a signed upload
	SignedForms                              // SignedUploadForm
	ObjectACLs                               // WithPublicRead
	StorageClasses                           // WithStorageClass
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
	OpenUploads                              // BeginUpload: parts come in any order, again, and from any process
	SignedParts                              // SignPart, with OpenUploads
	ListedUploads                            // ListUploads
	SignedPartChecksums                      // WithCRC32C on a signed part, enforced
	LeadingSlashes                           // "/a", which other tools may have written, is not "a"; without it, keys and prefixes that begin with "/" are Unsupported
	ServerMove                               // Move is one request, in one step
	SoftDelete                               // WithSoftDeleted; of use if the bucket keeps what is removed
	OrderedListing                           // listings are in byte order; without it, List needs WithAnyOrder
	ServerAppend                             // Append, without moving the object's bytes through this process
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
