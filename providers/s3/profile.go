package s3

import (
	"github.com/omnibucket/storage"
)

// A Profile says what one kind of S3 server can do and wants, as data. It is
// chosen by the endpoint's host or by name, or made by Probe. Features follow
// from it: what a server is not known to do, or not known to enforce, is not
// declared, and answers Unsupported before a request is made.
type Profile struct {
	Name string

	Conditions Conditions // what the server enforces, operation by operation
	// Racy are conditions that the server is known to look at before it writes, and
	// not in one step with it. Probe never declares them: racing seldom shows it.
	Racy       Conditions
	Checksum   ChecksumStyle // how a CRC32C travels, and what is kept of it
	ContentMD5 bool          // where no CRC32C is checked: a body is sent with its MD5, for which it is read once more

	EqualParts bool        // all parts of an upload but the last are of one size
	Batch      BatchDelete // how many objects are removed in one request
	Copy       bool        // CopyObject
	CopyParts  bool        // UploadPartCopy: copies of what CopyObject refuses as too large, and Compose
	CopiedSums bool        // parts that are copied are summed up too, where Checksum is ChecksumFullObject

	// OrderedList says that the server lists keys in byte order. If it does not,
	// as a server that lists like a directory tree, buckets are listed folder by
	// folder, which takes a request for each folder.
	OrderedList    bool
	SlashDelimiter bool // the server lists by no delimiter but "/": others are found by listing all keys
	TokenAfterLast bool // a full last page of a listing names a next one, which is empty

	NoSigning      bool // signed addresses and forms are refused
	ObjectACL      bool // canned ACLs on single objects
	StorageClasses bool // x-amz-storage-class
	SignForms      bool // POST policies
	// SignedUploads says what the server enforces of presigned uploads.
	SignedUploads SignedUploads
	Versioning    bool // versions of objects
	BucketACL     bool // a bucket is made public by its ACL
	BucketPolicy  bool // a bucket is made public by its policy
	CORS          bool // CORS rules of a bucket
	Lifecycle     bool // lifecycle rules of a bucket
	Location      bool // CreateBucket takes the region as LocationConstraint

	VirtualHost bool // the bucket stands in the host, where that is a name; else in the path
	// Hosts are the endpoints by which the profile is known: a "*" stands for
	// anything, "{region}" for one label, or its end, which is the region. If no
	// endpoint is given and the first one has no "*", it is the endpoint.
	Hosts  []string
	Region string // to sign for where neither Config nor the host says; "" is us-east-1
	// PublicURL is where public objects are served, with {bucket} and {region}
	// to fill in: "" is the address that requests go to, "none" nowhere.
	PublicURL string

	MaxPutSize  int64 // bytes of one Put and of one part; 0 is 5 GiB
	MaxCopySize int64 // bytes of one UploadPartCopy; 0 is 5 GiB
	MaxParts    int   // of one upload; 0 is 10,000

	// UnsignedEncoding keeps Accept-Encoding out of the signature: a server
	// whose front end rewrites it refuses every request otherwise.
	UnsignedEncoding bool

	// ShortSegments says that the server keeps objects as files, whose names have at
	// most 255 bytes: a segment of a key, too.
	ShortSegments bool

	// EscapeUnderscores stores "_" in names of metadata as "-x005f-", and reads it
	// back: the server returns "_" as "-".
	EscapeUnderscores bool
}

// Conditions are the requests whose conditions a server enforces atomically. A
// server that honours If-None-Match on a Put may well ignore it on a copy.
type Conditions struct {
	Create   bool // If-None-Match: * on PutObject
	Update   bool // If-Match on PutObject
	Complete bool // both on CompleteMultipartUpload
	Copy     bool // both on CopyObject, of the destination; without it a conditional copy passes through this process
	Remove   bool // If-Match on DeleteObject
}

// or returns the conditions of either.
func (c Conditions) or(d Conditions) Conditions {
	return Conditions{
		Create: c.Create || d.Create, Update: c.Update || d.Update, Complete: c.Complete || d.Complete,
		Copy: c.Copy || d.Copy, Remove: c.Remove || d.Remove,
	}
}

// SignedUploads are the guards of a presigned upload that a server enforces.
type SignedUploads struct {
	ContentType bool // another Content-Type is refused
	Size        bool // a body of another length is refused
	IfAbsent    bool // an object that exists is not replaced
}

// ChecksumStyle is how a body's CRC32C travels. No style sends trailers: they
// break R2, B2, older Ceph and others, and the sum is known before the first
// byte leaves.
type ChecksumStyle int

// The checksum styles.
const (
	// ChecksumNone: the server is not known to check a CRC32C, or refuses one.
	ChecksumNone ChecksumStyle = iota
	// ChecksumHeader: the CRC32C of a Put and of each part is checked; of an
	// upload in parts the server keeps a sum of sums, which is no object's.
	ChecksumHeader
	// ChecksumFullObject: the whole object's CRC32C is asserted when parts are
	// completed too, kept, and read back.
	ChecksumFullObject
)

// BatchDelete is how DeleteObjects is spoken.
type BatchDelete int

// The ways of DeleteObjects.
const (
	BatchNone     BatchDelete = iota // there is none: objects are removed one by one
	BatchMD5                         // with Content-MD5, which servers have always understood
	BatchChecksum                    // with a CRC32 in a header, as the SDK has it
)

// The limits of S3, which hold where a profile names no others.
const (
	maxPutSize  = 5 << 30
	minPartSize = 5 << 20
	maxParts    = 10_000
	maxBatch    = 1000
	maxPage     = 1000
)

// features are what the profile makes of a bucket that is asked with
// credentials.
func (p *Profile) features() storage.Features {
	// KeysBesideFolders is S3's rule. Servers of files break it, and MinIO does so unseen:
	// it stores the second key, so that no driver could refuse it.
	f := storage.UploadParts | storage.Metadata | storage.ContentProperties | storage.KeysBesideFolders | signFeatures(p)
	c := p.Conditions
	for feature, declared := range map[storage.Features]bool{
		// One bit stands for Put and for parts, so that both must be enforced.
		storage.ConditionalCreate: c.Create && c.Complete,
		storage.ConditionalUpdate: c.Update && c.Complete,
		storage.ConditionalRemove: c.Remove,
		storage.OrderedList:       p.OrderedList,
		storage.EqualParts:        p.EqualParts,
		storage.ServerCopy:        p.Copy,
		storage.ServerCompose:     p.CopyParts && !p.EqualParts,
		storage.KeepVersions:      p.Versioning,
		storage.ObjectACL:         p.ObjectACL,
		storage.StorageClasses:    p.StorageClasses,
		storage.StoredChecksums:   p.Checksum == ChecksumFullObject,
		storage.LongSegments:      !p.ShortSegments,
	} {
		if declared {
			f |= feature
		}
	}
	return f
}

func (p *Profile) putLimit() int64 { return orDefault(p.MaxPutSize, maxPutSize) }

func (p *Profile) copyLimit() int64 { return orDefault(p.MaxCopySize, maxPutSize) }

func (p *Profile) partsLimit() int { return orDefault(p.MaxParts, maxParts) }

func orDefault[N int | int64](n, standard N) N {
	if n > 0 {
		return n
	}
	return standard
}
