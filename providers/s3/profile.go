package s3

import (
	"cmp"
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Profile describes what one kind of S3 server can do. It is chosen by the endpoint's
// host or by name, or made by package s3probe. It determines the features of a bucket. A
// feature that the server is not known to have, or to enforce, is Unsupported, and no
// request is sent.
type Profile struct {
	Name string

	Conditions Conditions // conditions that the server enforces
	// Racy has the conditions that the server tests before the write, but not atomically with
	// it. Package s3probe never declares them, because a race seldom shows it.
	Racy     Conditions
	Checksum ChecksumStyle // how a CRC32C is sent and stored
	// ContentMD5 sends a body with its MD5 over TLS, too, if no CRC32C is checked: it takes
	// longer than the transfer. Without TLS, such a body always has its MD5.
	ContentMD5 bool

	// TrailingChecksums says that over TLS the server checks a CRC32C that follows the bytes of a part, in
	// a trailer, so that each part is read once. It needs a Checksum.
	TrailingChecksums bool

	// HidesUploads says that ListMultipartUploads omits uploads in progress, as MinIO's does unless
	// its prefix is a whole key, or that the server is not known to list them.
	HidesUploads bool

	// RefusalAborts says that a completion whose condition is false aborts the upload. Then the condition
	// is compared before the completion, too, so that the upload stays.
	RefusalAborts bool

	EqualParts      bool        // all parts of an upload but the last must have the same size
	Batch           BatchDelete // how DeleteObjects is sent
	Copy            bool        // CopyObject
	CopyParts       bool        // UploadPartCopy, for Compose and for objects that are too large for CopyObject
	CopiedChecksums bool        // with ChecksumFullObject, objects of copied parts have a checksum, too
	// PinnedCopyParts says that UploadPartCopy enforces x-amz-copy-source-if-match. Without it, the
	// header is not sent, and each source is compared again before the upload is completed.
	PinnedCopyParts bool

	// OrderedListing says that the server lists keys in byte order. Otherwise, it lists like
	// a directory tree, and the core lists folder by folder, with a request for each.
	OrderedListing bool
	SlashDelimiter bool // the server lists only with the delimiter "/"; for any other, the core lists all keys
	TokenAfterLast bool // a full last page of a listing names a next page, which is empty
	// SlowTokens says that the server prepares its continuation tokens, as MinIO does. The first pages
	// are requested by key, and a page that begins in a folder is believed only if it was prepared.
	SlowTokens bool

	NoSigning      bool // the server refuses signed URLs and forms
	ObjectACLs     bool // canned ACLs of objects
	StorageClasses bool // x-amz-storage-class
	KMS            bool // encryption with keys of a key management service (SSE-KMS); other servers may ignore it
	CustomerKeys   bool // encryption with keys in requests (SSE-C); other servers may ignore them
	BucketOwners   bool // x-amz-expected-bucket-owner; other servers ignore it
	// Tags declares tags of objects. They are set in the headers of writes and copies and by
	// requests of their own, and the headers of reads have their number.
	Tags        bool
	SignedForms bool // POST policies
	// SignedUploads has what the server enforces for presigned uploads.
	SignedUploads SignedUploads
	Versioning    bool // versions of objects
	// ObjectLock says which buckets can lock objects. It needs Versioning, and a Checksum or
	// ContentMD5, because S3 stores no locked object without a checksum.
	ObjectLock   LockSupport
	Restore      bool // RestoreObject makes archived objects readable
	BucketACL    bool // an ACL makes a bucket public
	BucketPolicy bool // a policy makes a bucket public
	CORS         bool // CORS rules of a bucket
	Lifecycle    bool // lifecycle rules of a bucket
	Location     bool // CreateBucket accepts the region as LocationConstraint

	VirtualHost bool // URLs have the bucket in the host, if that is a name; else in the path
	// Hosts has the endpoints that select the profile. "*" matches any labels.
	// "{region}" matches a label, or its end, which is the region. Without an endpoint
	// in the Config, the first one is the endpoint, unless it has a "*".
	Hosts  []string
	Region string // region if neither Config nor the host has one; "" means us-east-1
	// PublicURL is the URL of public objects, with {bucket} and {region} as placeholders. ""
	// means the URL of requests, and "none" means that there is none.
	PublicURL string

	MaxPutSize  int64 // bytes of one Put and of one part; 0 means 5 GiB
	MaxCopySize int64 // bytes of one UploadPartCopy; 0 means 5 GiB
	MaxParts    int   // parts of one upload; 0 means 10,000
	MaxBatch    int   // objects in one DeleteObjects; 0 means 1,000

	// UnsignedEncoding removes Accept-Encoding from the signature. Without it, a server
	// whose front end changes that header refuses every request.
	UnsignedEncoding bool

	// ShortSegments declares that the server keeps objects as files, so that a segment of a
	// key has at most 255 bytes.
	ShortSegments bool

	// LeadingSlashes says that the server keeps a "/" at the beginning of a key. MinIO removes it, so
	// that a removal of "/a" would remove "a".
	LeadingSlashes bool

	// identifies says that every response has a header of the protocol, such as x-amz-request-id.
	identifies bool
	amazon     bool // Amazon S3 itself
	hostless   bool // it selects no host: the server may be Amazon's, or any other
	unnamed    bool // the server is not known, so that hints ask for its name
	mixed      bool // an access point, which may belong to an FSx volume, so that hints ask for that
	unsorted   bool // no document says that it lists in byte order, so a listing is read from its start
	// timesInIDs says that the server lists an old version with the time of its replacement,
	// and that its id is a ULID, which has the time of the version.
	timesInIDs bool

	fullSegments bool // the server has no keys with an empty segment, and does not list them

	// EscapeUnderscores stores "_" in names of metadata as "-x005f-", because the server
	// returns "_" as "-".
	EscapeUnderscores bool
}

// ProbedSuffix ends the name of a [Profile] that package s3probe made.
const ProbedSuffix = " (probed)"

// Conditions has the requests whose conditions a server enforces atomically. A server
// that honors If-None-Match for PutObject may ignore it for CopyObject.
type Conditions struct {
	Create   bool // If-None-Match: * on PutObject
	Update   bool // If-Match on PutObject
	Complete bool // both on CompleteMultipartUpload
	Copy     bool // both on CopyObject, for the destination; otherwise a conditional copy is streamed
	Remove   bool // If-Match on DeleteObject
}

// SignedUploads has the properties of a presigned upload that a server enforces.
type SignedUploads struct {
	ContentType bool // an upload with another Content-Type is refused
	Size        bool // a body of another length is refused
	IfAbsent    bool // an object that exists is not replaced
}

// ChecksumStyle says how a body's CRC32C is sent: in a header, so that it is known before the
// first byte is sent. Only parts may have it in a trailer (Profile.TrailingChecksums).
type ChecksumStyle int

// The checksum styles.
const (
	// ChecksumNone sends no CRC32C: the server refuses one or is not known to check it.
	ChecksumNone ChecksumStyle = iota
	// ChecksumHeader sends the CRC32C of a Put and of each part. After a multipart upload
	// the server has only a checksum of the parts' checksums.
	ChecksumHeader
	// ChecksumFullObject also sends the CRC32C of the whole object to complete a
	// multipart upload. The server checks, stores and returns it.
	ChecksumFullObject
)

// LockSupport says which buckets of a server can lock objects.
type LockSupport int

// Which buckets can lock objects.
const (
	LockNone       LockSupport = iota // no bucket, or the server is not known to lock
	LockNewBuckets                    // buckets that are created with object lock
	LockAllBuckets                    // all buckets: object lock can be enabled later, too
)

// BatchDelete says how DeleteObjects is sent.
type BatchDelete int

// The ways to send DeleteObjects.
const (
	BatchNone     BatchDelete = iota // not at all: objects are deleted one by one
	BatchMD5                         // with Content-MD5, which all servers support
	BatchChecksum                    // with a CRC32 in a header, as the SDK does
)

// The limits of S3, unless a profile has others.
const (
	maxPutSize  = 5 << 30
	minPartSize = 5 << 20
	maxParts    = 10_000
	maxBatch    = 1000
	maxPage     = 1000
)

// features returns the features of a bucket that is opened with credentials.
func (p *Profile) features() storage.Features {
	// S3 has KeysBesideFolders. Servers of files break that, and MinIO does so without an
	// error: it stores the second key, so that no driver could refuse it.
	f := storage.MultipartUploads | storage.OpenUploads | storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders |
		storage.SignedURLs | storage.SignedHead | storage.SignedParts
	c := p.Conditions
	for feature, declared := range map[storage.Features]bool{
		// The feature covers Put and multipart uploads, so that both must enforce it.
		storage.ConditionalCreate: c.Create && c.Complete,
		storage.ConditionalUpdate: c.Update && c.Complete,
		storage.ConditionalRemove: c.Remove,
		storage.OrderedListing:    p.OrderedListing,
		driver.EqualParts:         p.EqualParts,
		storage.ServerCopy:        p.Copy,
		storage.ServerCompose:     p.CopyParts && !p.EqualParts,
		storage.ServerAppend:      p.CopyParts && !p.EqualParts,
		storage.Versioning:        p.Versioning,
		storage.ObjectACLs:        p.ObjectACLs,
		storage.StorageClasses:    p.StorageClasses,
		storage.StoredChecksums:   p.Checksum == ChecksumFullObject,
		storage.LongSegments:      !p.ShortSegments,
		storage.LeadingSlashes:    p.LeadingSlashes,
		storage.ObjectTags:        p.Tags,
		storage.Restoring:         p.Restore,
		storage.ObjectLock:        p.locks(),
		storage.ListedUploads:     !p.HidesUploads,

		storage.SignedContentType:   p.SignedUploads.ContentType,
		storage.SignedSize:          p.SignedUploads.Size,
		storage.SignedIfAbsent:      p.SignedUploads.IfAbsent,
		storage.SignedPartChecksums: p.Checksum != ChecksumNone,
		storage.SignedForms:         p.SignedForms,
		storage.SignedTags:          p.Tags,
		storage.SignedLocks:         p.locks(),
	} {
		if declared {
			f |= feature
		}
	}
	if p.NoSigning {
		f &^= signFeatures
	}
	return f
}

// locks reports whether the server has buckets that can lock objects. Such buckets keep
// versions.
func (p *Profile) locks() bool { return p.ObjectLock != LockNone && p.Versioning }

func (p *Profile) putLimit() int64 { return cmp.Or(p.MaxPutSize, maxPutSize) }

func (p *Profile) copyLimit() int64 { return cmp.Or(p.MaxCopySize, maxPutSize) }

func (p *Profile) partsLimit() int { return cmp.Or(p.MaxParts, maxParts) }
