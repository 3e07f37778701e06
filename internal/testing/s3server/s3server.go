// Package s3server is an S3 server for tests. It holds every key that S3 holds,
// checks signatures, conditions, checksums, parts and XML as strictly as AWS
// documents them, refuses what AWS refuses, and can be told to misbehave. What
// no server that can be built here judges (a 409 on a race, an error inside a
// 200, a redirect to another region, a lost answer) is pinned against it.
//
// The bytes lie in a storage.Driver, memory by default; everything that a
// Driver has no notion of (versions as S3 has them, delete markers, uploads,
// settings of buckets) is kept here.
//
//	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
//	defer server.Close()
//	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown"})
//	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Rate: 150, Times: -1}) // serves 150 a second
//
// What it does not have answers NotImplemented: tags as a subresource, object
// lock, encryption with keys of one's own, website, logging, notifications,
// S3 Select, ListObjects of version 1.
package s3server

import (
	"net/http"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// The credentials and the region of a zero Config.
const (
	DefaultAccessKeyID = "AKIATESTTESTTESTTEST"
	DefaultSecretKey   = "test-secret-key"
	DefaultRegion      = "us-east-1"
)

// Config says how a server shall be. The zero value is an AWS region without
// buckets.
type Config struct {
	AccessKeyID  string // "": DefaultAccessKeyID
	SecretKey    string // "": DefaultSecretKey
	SessionToken string // where set, every signed request has to carry it
	Region       string // "": DefaultRegion; a signature for another is refused
	Buckets      []string
	// TakenBuckets are names that somebody else has.
	TakenBuckets []string
	// Domains are the hosts under which a bucket is a label of the host, as in
	// bucket.s3.us-east-1.amazonaws.com; any other host has it in the path.
	// Nil: AWS's own of the region, and localhost.
	Domains []string
	// AllowACL has new buckets accept access control lists, as AWS's did before
	// April 2023, and without a public access block.
	AllowACL bool
	// Driver keeps the bytes, under names of this package. It has to take a body
	// of unknown size (storage.StreamPut). Nil: memory.
	Driver storage.Driver
	// DashForUnderscore keeps "-" where a name of metadata has "_", as Ceph RGW
	// does before Quincy.
	DashForUnderscore bool
	// RequesterPays has every bucket be somebody else's, who does not pay:
	// requests that do not say x-amz-request-payer are refused.
	RequesterPays bool
	// CloseConnections ends a connection after each answer, so that none is idle
	// in a test that counts goroutines.
	CloseConnections bool
	// FolderOrder lists objects as SeaweedFS does: like a directory tree, all of
	// "a/…" before "a-b", in pages, with a delimiter and from start-after, too.
	FolderOrder bool
	Now         func() time.Time // nil: time.Now
	Limits      Limits
}

// Limits are AWS's where they are 0; smaller ones keep tests small.
type Limits struct {
	MinPartSize int64 // bytes, all parts but the last: 5 MiB
	MaxPartSize int64 // bytes: 5 GiB
	MaxPutSize  int64 // bytes of one PutObject: 5 GiB
	MaxCopySize int64 // bytes of one CopyObject: 5 GiB
	MaxParts    int   // 10,000
	MaxPage     int   // entries in one page of a listing: 1,000
	MaxBatch    int   // keys in one DeleteObjects: 1,000
	MaxMetadata int   // bytes of user metadata, names and values: 2 KiB
}

func (l Limits) complete() Limits {
	const mib, gib = 1 << 20, 1 << 30
	setDefault(&l.MinPartSize, 5*mib)
	setDefault(&l.MaxPartSize, 5*gib)
	setDefault(&l.MaxPutSize, 5*gib)
	setDefault(&l.MaxCopySize, 5*gib)
	setDefault(&l.MaxParts, 10_000)
	setDefault(&l.MaxPage, 1_000)
	setDefault(&l.MaxBatch, 1_000)
	setDefault(&l.MaxMetadata, 2<<10)
	return l
}

// A Handler is the server without a listener.
type Handler struct {
	config Config // complete
	limits Limits
	blobs  *blobs

	mu      sync.RWMutex // guards what the buckets hold; never held while bytes move
	buckets buckets

	faults   faults
	recorder recorder
}

// New returns a server with the buckets of c, which are empty.
func New(c Config) *Handler {
	setDefault(&c.AccessKeyID, DefaultAccessKeyID)
	setDefault(&c.SecretKey, DefaultSecretKey)
	setDefault(&c.Region, DefaultRegion)
	if c.Domains == nil {
		c.Domains = []string{
			"s3." + c.Region + ".amazonaws.com",
			"s3.dualstack." + c.Region + ".amazonaws.com",
			"s3.amazonaws.com",
			"localhost",
		}
	}
	if c.Driver == nil {
		c.Driver = memstore.NewDriver(memstore.Config{})
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{config: c, limits: c.Limits.complete(), blobs: newBlobs(c.Driver), faults: faults{now: c.Now}}
	for _, name := range c.Buckets {
		h.buckets.Set(name, h.newBucket(name))
	}
	return h
}

func (h *Handler) now() time.Time { return h.config.Now().UTC() }

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

var _ http.Handler = (*Handler)(nil)
