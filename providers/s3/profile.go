package s3

import (
	"cmp"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Profile describes what one kind of S3 server can do. It is chosen by the endpoint's host or by
// name, or made by package s3probe. It determines the features of a bucket. If the server is not
// known to have or to enforce a feature, operations that need it fail with Unsupported and send no
// request.
type Profile struct {
	Name string

	Conditions Conditions // conditions that the server enforces
	// Racy has the conditions that the server tests before the write, but not atomically. Package
	// s3probe never declares these conditions, because a race seldom hits the time between the test
	// and the write.
	Racy     Conditions
	Checksum ChecksumStyle // how a CRC32C is sent and stored
	// ContentMD5 says that the driver sends the MD5 of each body if the server checks no CRC32C. If
	// ContentMD5 is false, the driver sends the MD5 to such a server only without TLS. With MD5,
	// uploads are slow, because computing the MD5 takes longer than the transfer.
	ContentMD5 bool

	// TrailingChecksums says that over TLS the server checks a CRC32C in a trailer after the bytes
	// of a part. The driver then reads each part only once. TrailingChecksums requires Checksum.
	TrailingChecksums bool

	// HidesUploads says that ListMultipartUploads omits uploads in progress, or is not known to list them. MinIO lists
	// only the uploads of one key.
	HidesUploads bool

	// RefusalAborts says that the server aborts the upload if the condition of
	// CompleteMultipartUpload is false. To keep the upload, the driver first checks the condition
	// with a HeadObject. If the condition is false, the driver does not send
	// CompleteMultipartUpload.
	RefusalAborts bool

	EqualParts      bool        // all parts of an upload, except for the last, must have the same size
	Batch           BatchDelete // how DeleteObjects is sent
	Copy            bool        // CopyObject
	CopyParts       bool        // the server has UploadPartCopy, for Compose and for large copies
	CopiedChecksums bool        // an object of copied parts has a checksum, too; requires ChecksumFullObject
	// PinnedCopyParts says that UploadPartCopy enforces x-amz-copy-source-if-match. If it is false,
	// the header is not sent, and the driver compares each source again before it completes the
	// upload.
	PinnedCopyParts bool

	// OrderedListing says that the server lists keys in byte order. Otherwise, it lists like
	// a directory tree, and the engine lists folder by folder, with a request for each.
	OrderedListing bool
	SlashDelimiter bool // the server lists only with the delimiter "/"; for any other, the engine lists all keys
	TokenAfterLast bool // if the last page of a listing is full, it names a next page, which is empty
	// SlowTokens says that the server responds slowly to the first continuation token, because it
	// first fills a cache with the listing. MinIO is such a server. So the driver requests the
	// first pages without a token: each request has the last key of the page before. If that key is
	// in a folder, the server may leave out entries of a page that is not in its cache. The driver
	// then lists the entries folder by folder.
	SlowTokens bool

	NoSigning      bool // the server refuses signed URLs and forms
	ObjectACLs     bool // objects can have canned ACLs
	StorageClasses bool // x-amz-storage-class
	KMS            bool // the server encrypts with keys of a KMS (SSE-KMS); other servers may ignore such a key
	CustomerKeys   bool // the server encrypts with keys in requests (SSE-C); other servers may ignore the keys
	BucketOwners   bool // the server checks x-amz-expected-bucket-owner; other servers ignore this header
	// Tags says that objects have tags. Headers of writes and copies set the tags, and so do
	// separate requests. Responses to reads have the number of tags in a header.
	Tags        bool
	SignedForms bool // POST policies
	// Sessions says that Vend can get credentials from AssumeRole of AWS STS, which limits them by
	// a policy. Servers other than Amazon have AssumeRole at their own endpoint.
	Sessions bool
	// SignedUploads says which properties of presigned uploads the server enforces.
	SignedUploads SignedUploads
	Versioning    bool // objects can have versions
	// ObjectLock says which buckets can lock objects. It requires Versioning. It also requires
	// Checksum or ContentMD5, because S3 stores no locked object without a checksum.
	ObjectLock   LockSupport
	Restore      bool // RestoreObject makes archived objects readable
	BucketACL    bool // an ACL makes a bucket public
	BucketPolicy bool // a policy makes a bucket public
	CORS         bool // buckets can have CORS rules
	Lifecycle    bool // buckets can have lifecycle rules
	Location     bool // CreateBucket accepts the region as LocationConstraint

	VirtualHost bool // URLs have the bucket in the host if the host is a name, and otherwise in the path
	// Hosts has patterns for the hosts that select the profile. "*" matches one or more labels.
	// "{region}" matches a label or the end of a label, and the text that it matches is the region.
	// If Config has no endpoint and the first pattern has no "*", the first pattern gives the
	// endpoint.
	Hosts  []string
	Region string // region if neither Config nor the host has one; "" means us-east-1
	// PublicURL is the URL of public objects, with {bucket} and {region} as placeholders. If it is
	// "", public objects have the same URL as requests. "none" means that objects have no public
	// URL.
	PublicURL string
	// CDNURL is the URL of public objects at the provider's own CDN, if Config.CDN is set. It can
	// have the placeholders {bucket} and {region}. "" means that the provider has no CDN, or that
	// the host of the CDN does not follow from the bucket's name.
	CDNURL string

	MaxPutSize  int64 // bytes of one Put and of one part; 0 means 5 GiB
	MaxCopySize int64 // bytes of one UploadPartCopy; 0 means 5 GiB
	MaxParts    int   // parts of one upload; 0 means 10,000
	MaxBatch    int   // objects in one DeleteObjects; 0 means 1,000

	// UnsignedEncoding removes Accept-Encoding from the signature. If the front end of a server
	// changes that header, the server would refuse every request whose signature covers it.
	UnsignedEncoding bool

	// ShortSegments declares that the server keeps objects as files, so that a segment of a
	// key has at most 255 bytes.
	ShortSegments bool

	// LeadingSlashes says that the server keeps a "/" at the beginning of a key. MinIO drops this
	// "/", and a removal of "/a" would remove "a" there.
	LeadingSlashes bool

	// identifies says that every response has a header of the S3 protocol, such as
	// x-amz-request-id.
	identifies bool
	amazon     bool // the server is Amazon S3
	hostless   bool // true if the endpoint does not follow from the profile
	isUnknown  bool // the server is not known; hints ask the user to name its profile
	// isAccessPoint is true for the profile of access points. An access point belongs to a bucket or to an
	// FSx volume, and the driver cannot distinguish them. A hint explains this to the user.
	isAccessPoint bool
	isUnsorted    bool // byte order is not documented; to start after a key, a listing is read from its beginning
	// timesInIDs says that a listing shows a wrong time for an old version: the time at which the
	// version was replaced. The id of the version is a ULID, which contains the right time.
	timesInIDs bool

	fullSegments bool // keys with an empty segment, such as a//b, do not exist on the server

	// EscapeUnderscores stores "_" in names of metadata as "-x005f-", because the server
	// returns "_" as "-".
	EscapeUnderscores bool
}

// ProbedSuffix ends the name of a [Profile] that package s3probe made.
const ProbedSuffix = " (probed)"

// Conditions says for which requests a server enforces conditions atomically. A server that honors
// If-None-Match for PutObject may ignore it for CopyObject.
type Conditions struct {
	Create   bool // If-None-Match: * on PutObject
	Update   bool // If-Match on PutObject
	Complete bool // If-None-Match and If-Match on CompleteMultipartUpload
	Copy     bool // If-None-Match and If-Match for the destination of CopyObject; otherwise the copy is streamed
	Remove   bool // If-Match on DeleteObject
}

// SignedUploads says which properties of a presigned upload the server enforces.
type SignedUploads struct {
	ContentType bool // an upload with another Content-Type is refused
	Size        bool // a body of another length is refused
	IfAbsent    bool // an object that exists is not replaced
}

// ChecksumStyle says how the CRC32C of a body is sent. A CRC32C in a header must be known before
// the first byte is sent. Only parts may have the CRC32C in a trailer instead
// (Profile.TrailingChecksums).
type ChecksumStyle int

// The checksum styles.
const (
	// ChecksumNone sends no CRC32C, because the server refuses it or is not known to check it.
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

// These are the values of LockSupport.
const (
	LockNone       LockSupport = iota // no bucket, or the server is not known to lock objects
	LockNewBuckets                    // buckets that are created with object lock
	LockAllBuckets                    // all buckets; object lock can also be enabled after the creation
)

// BatchDelete says how DeleteObjects is sent.
type BatchDelete int

// The ways to send DeleteObjects.
const (
	BatchNone     BatchDelete = iota // objects are deleted one by one, without DeleteObjects
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
	// Every profile declares KeysBesideFolders, because S3 can store both "a" and "a/b". MinIO keeps
	// objects as files and cannot. It declares the feature anyway, because a server without the feature
	// must refuse the second key with an error, and MinIO returns none.
	f := storage.MultipartUploads | storage.OpenUploads | storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders |
		storage.SignedURLs | storage.SignedHead | storage.SignedParts | storage.SignedRemovals | storage.StableURLs

	// Add each feature that the profile declares.
	conditions := p.Conditions
	for feature, declared := range map[storage.Features]bool{
		// These features are for all writes. A profile has them only if both PutObject and
		// CompleteMultipartUpload enforce the condition.
		storage.ConditionalCreate: conditions.Create && conditions.Complete,
		storage.ConditionalUpdate: conditions.Update && conditions.Complete,
		storage.ConditionalRemove: conditions.Remove,
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

// locks reports whether the server has buckets that can lock objects. Such buckets need versioning,
// so the profile must declare Versioning, too.
func (p *Profile) locks() bool { return p.ObjectLock != LockNone && p.Versioning }

func (p *Profile) putLimit() int64 { return cmp.Or(p.MaxPutSize, maxPutSize) }

func (p *Profile) copyLimit() int64 { return cmp.Or(p.MaxCopySize, maxPutSize) }

func (p *Profile) partsLimit() int { return cmp.Or(p.MaxParts, maxParts) }

// signFeatures are the features that a bucket lacks if it cannot sign URLs and forms.
const signFeatures = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead |
	storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums |
	storage.SignedRemovals | storage.StableURLs
