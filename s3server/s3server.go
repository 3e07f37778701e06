// Package s3server is an S3 server for tests and development. It stores every key that S3
// stores. It checks signatures, conditions, checksums, parts and XML as strictly as AWS documents
// them, refuses what AWS refuses, and fails on purpose if told to. It tests responses
// that no available server gives: a 409 after a race, an error inside a 200, a redirect
// to another region, a dropped response.
//
// A [storage.Driver] keeps the bytes, by default in memory. This package keeps
// everything else: S3's versions, delete markers, uploads, and settings of buckets.
//
//	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
//	defer server.Close()
//	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Times: 1})
//	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Rate: 150, Times: 1}) // serves 150 a second
//
// These return NotImplemented: replication, inventory, analytics and metrics, S3 Select.
package s3server

import (
	"context"
	"crypto/tls"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// These are the credentials and the region of a zero [Config].
const (
	DefaultAccessKeyID = "AKIATESTTESTTESTTEST"
	DefaultSecretKey   = "test-secret-key"
	DefaultRegion      = "us-east-1"
)

// Config configures a server. The zero value is an AWS region without buckets.
type Config struct {
	// Strict makes the server follow AWS to the letter. Without it, the server accepts what
	// other development servers accept: access control lists on new buckets, signatures
	// and locations of any region, and ranged copies of a source of 5 MiB or less. A
	// CreateBucket of the caller's own bucket succeeds. Neither accepts what is not
	// implemented.
	Strict bool
	// Credentials are the keys that the server knows. Without any, it knows one with
	// [DefaultAccessKeyID] and [DefaultSecretKey].
	Credentials []Credential
	// Region is where the buckets are; a signature for another region is refused. ""
	// means [DefaultRegion] with Strict, and else that every region is accepted.
	Region string
	// Buckets are created at the start. The account of the first credential owns them.
	Buckets []string
	// Domains are the hosts whose subdomains are buckets, as in
	// bucket.s3.us-east-1.amazonaws.com. With any other host, the bucket is in the path.
	// Nil means AWS's domains of the region, and localhost.
	Domains []string
	// WebsiteDomains are the hosts whose subdomains are buckets as websites, as in
	// photos.s3-website.localhost:9000. Nil means AWS's of the region, and s3-website.localhost.
	WebsiteDomains []string
	// Driver stores the bytes, under names of this package. It must accept a body of
	// unknown size ([storage.StreamingPut]). Nil means memory.
	Driver storage.Driver
	// MaxBytes is the most that all objects and parts in memory may take; 0 means no bound.
	// Copies share their bytes. A write beyond it fails with InsufficientStorage and status 507,
	// which clients do not send again by themselves, unlike a 503: waiting frees nothing.
	MaxBytes int64
	// DashForUnderscore stores "-" for "_" in names of metadata, as Ceph RGW did before
	// Quincy.
	DashForUnderscore bool
	// KMSKeys are the ids of the keys that SSE-KMS knows, beside the account's own. Nil means
	// every id.
	KMSKeys []string
	// BlockCustomerKeys refuses writes with SSE-C, as new buckets do since April 2026.
	BlockCustomerKeys bool
	// RequesterPays refuses requests without x-amz-request-payer.
	RequesterPays bool
	// CloseConnections closes a connection after each response, so that a test that counts
	// goroutines sees no idle one.
	CloseConnections bool
	// FolderOrder lists objects as SeaweedFS does: like a directory tree, with all of
	// "a/…" before "a-b", also in pages, with a delimiter and with start-after.
	FolderOrder bool
	// RestoreTime is how long it takes until an archived object can be read that was restored.
	RestoreTime time.Duration
	// Notify receives the events that notification configurations of buckets ask for, before the
	// response to the request ends. It can be called by several requests at once.
	Notify func(Event)
	// WebhookURL receives the same events as POST requests with AWS's JSON, in their order, while
	// [Handler.Run] runs. An event has three attempts of 5 s, with pauses of 1 s and 2 s. If all
	// fail, the event is lost, and those after it have one attempt until one succeeds. If 1,000
	// events wait, further ones are lost. [Handler.LostEvents] counts them.
	WebhookURL string
	// EventARNs are the targets that a notification configuration can name, for Notify and
	// WebhookURL alike: topics, queues or functions. "*" stands for anything. AWS refuses others as
	// InvalidArgument, and so does the server. Nil means [DefaultEventARN].
	EventARNs []string
	// Log is called at the end of each request. Calls may be concurrent. Nil means no log.
	Log func(Entry)
	// Middleware returns what [Start] serves in place of its argument, which is the [Handler].
	// It may answer requests that are not for S3, such as health checks. Nil means the Handler.
	Middleware func(http.Handler) http.Handler
	// LifecycleDay is how long a day of a lifecycle rule takes when rules are run. 0 means 24
	// hours, with expirations at midnight in UTC as on AWS. Headers always tell the time that AWS
	// would tell.
	LifecycleDay time.Duration
	// Record is the number of requests that [Handler.Requests] returns, the latest ones.
	Record int
	// Addr is where [Start] listens, as "127.0.0.1:9000" or ":9000". "" means a free port of
	// 127.0.0.1.
	Addr string
	// TLS makes [Start] serve TLS. If it has no certificate, as &tls.Config{}, the server makes
	// one that [Server.Client] trusts: for localhost, the loopback addresses, the host of Addr,
	// and Domains with their buckets. The AWS SDKs send trailers only over TLS.
	TLS    *tls.Config
	Now    func() time.Time // nil means time.Now; responses have this time as their Date
	Limits Limits
}

// Limits are the limits of the server. A zero field means AWS's limit; smaller limits
// keep tests small.
type Limits struct {
	MinPartSize int64 // of all parts but the last: 5 MiB
	MaxPartSize int64 // 5 GiB
	MaxPutSize  int64 // of one PutObject: 5 GiB
	MaxCopySize int64 // of one CopyObject: 5 GiB
	MaxParts    int   // 10,000
	MaxPage     int   // entries in one page of a listing: 1,000
	MaxBatch    int   // keys in one DeleteObjects: 1,000
	MaxMetadata int   // of user metadata, names and values: 2 KiB
	MaxHeader   int   // of all headers of a request, names and values: 8 KiB
	MaxBuckets  int   // 10,000
	// These are not AWS's.
	MaxConnections int           // that Start serves at a time, while others wait: 1,024
	IdleTimeout    time.Duration // in which a client must send or read some bytes: 1 minute
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
	setDefault(&l.MaxHeader, 8<<10)
	setDefault(&l.MaxBuckets, 10_000)
	setDefault(&l.MaxConnections, 1_024)
	setDefault(&l.IdleTimeout, time.Minute)
	return l
}

// A Handler is the server without a listener.
type Handler struct {
	config    Config // with all defaults
	anyRegion bool
	limits    Limits
	store     store

	finished *finishedUploads
	webhook  *webhook
	sequence atomic.Int64 // of events

	faults   faults
	recorder recorder
}

// New returns a server with the buckets of c, which are empty.
func New(c Config) *Handler {
	c.Credentials = c.credentials()
	anyRegion := c.Region == "" && !c.Strict
	setDefault(&c.Region, DefaultRegion)
	if c.Domains == nil {
		c.Domains = []string{
			"s3." + c.Region + ".amazonaws.com",
			"s3.dualstack." + c.Region + ".amazonaws.com",
			"s3.amazonaws.com",
			"localhost",
		}
	}
	if c.WebsiteDomains == nil {
		c.WebsiteDomains = []string{"s3-website." + c.Region + ".amazonaws.com", "s3-website-" + c.Region + ".amazonaws.com", "s3-website.localhost"}
	}
	if c.Driver == nil {
		c.Driver = memstore.NewDriver(memstore.Config{})
	}
	setDefault(&c.LifecycleDay, fullDay)
	if c.EventARNs == nil {
		c.EventARNs = []string{DefaultEventARN}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{
		config: c, anyRegion: anyRegion, limits: c.Limits.complete(), finished: newFinishedUploads(), faults: faults{now: c.Now}, recorder: recorder{limit: c.Record},
		webhook: newWebhook(c.WebhookURL),
	}
	h.sequence.Store(time.Now().UnixNano()) // later than those before a restart
	h.store = newMemoryStore(&h.config, c.Driver)
	for _, name := range c.Buckets {
		_, _ = h.store.createBucket(context.Background(), h.newBucket(name, c.Credentials[0].Account)) // memory does not fail
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
