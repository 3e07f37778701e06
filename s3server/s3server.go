// Package s3server is an S3 server for tests and development: in a test, in a process of its
// own, or as an [http.Handler] in a server of yours. It needs no network, account or container.
//
// In a test it is one line, and ends with the test:
//
//	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})
//
// [Server.URL] and [Server.Credentials] are what an SDK needs; [Server.Env] sets both for any SDK
// or subprocess. [Handler.Bucket] puts objects in and looks at them without an SDK.
// [Handler.Requests] and [Handler.Count] tell what clients have sent.
//
// # Strictness
//
// The server does what AWS documents. It checks signatures, conditions, checksums, part sizes,
// XML, bucket policies and object locks, and stores every key that S3 stores. Its errors have AWS's
// codes. An operation, header or parameter that it does not have returns NotImplemented: it
// ignores nothing to which AWS gives a meaning. The zero [Config] accepts what other development
// servers accept, and ignores headers that AWS does not know. Config.Strict is AWS to the letter.
//
// # Misbehavior
//
// A real store is slow, busy or unreachable at times. The server can be, too, so that a test
// shows whether a client retries, resumes and gives up as it should:
//
//	server.Inject(s3server.Fail("PutObject", "SlowDown").Once())
//	server.Inject(s3server.Lose("CompleteMultipartUpload").Once()) // it takes effect, without a response
//	server.Inject(s3server.CutAfter("GetObject", 1000).On("photos", "large/*"))
//	undo := server.Inject(s3server.Throttle("*", 150)) // requests a second
//
// A [Fault] has more: latency, bandwidth, redirects, wrong entity tags, a wrong clock, stale
// listings. Programs in other languages add faults by the API of Config.AdminToken.
//
// # Stores
//
// Everything is in memory, unless Config.Service has a place for it:
//
//	service, err := local.NewServiceDriver("/srv/buckets", local.Config{Create: true})
//	server, err := s3server.Start(s3server.Config{Service: service})
//
// A directory keeps buckets with their settings, versions, locks, tags, access lists and uploads in
// progress for the next server, also after a kill. Objects are files under their keys. Files that
// other programs put there are objects, too, whose ETag is not an MD5. A key that no file can have,
// such as "a//b" or "folder/", is escaped: its empty segment is "!%". The
// time of a file decides whether it was written while versioning was suspended, and so is a null
// version.
//
// Any other service makes the server a gateway, which is a preview: fewer suites of clients pass. ETags of objects
// are then those of S3, or no MD5. The server keeps records of its own under a prefix that clients cannot name. It
// passes bodies through temporary files. Multipart uploads are open uploads of the store ([storage.OpenUploads]) on
// Google, and on Azure unless the service was made from a client of the SDK. Only a client ends them, and their
// objects have no part numbers. Suspended versioning, encryption by keys, lifecycle rules and changes of an object's
// access list are NotImplemented. If the store has no delete markers, a marker ends with the version that it hides.
//
// # Limits
//
// Config.MaxBytes bounds what is stored, and [Limits] what clients can send. A client is disconnected if it neither
// sends nor reads, or if it takes half a minute for a document, or for a form up to its file. Listings and other
// documents are in memory while their clients read them, 64 MiB of them at most. Beyond that, the response is
// SlowDown with status 503 in place of a document of more than 64 KiB. Clients then ask again. A listing of 1,000
// keys that are long and full of control characters takes up to 8 MiB. 16 listings are made at a time, and others
// wait.
//
// # What is not there
//
// Directory buckets, replication, inventory, analytics, metrics, S3 Select, torrents, and
// checksums of the XXHASH kinds. Signatures of version 2 are accepted unless the server is strict:
// boto3 presigns with them by default.
package s3server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/memory"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/webhook"
)

// The credentials and the region of a zero [Config].
const (
	DefaultAccessKeyID = "AKIATESTTESTTESTTEST"
	DefaultSecretKey   = "test-secret-key"
	DefaultRegion      = "us-east-1"
)

// Config configures a server. The zero value is an AWS region without buckets.
type Config struct {
	// Strict makes the server follow AWS to the letter. Without it, the server accepts what
	// other development servers accept: access control lists on new buckets, signatures and
	// locations of any region, and ranged copies of a source of 5 MiB or less. It accepts
	// signatures of version 2, too. In both modes, the server refuses features that it does not
	// implement.
	Strict bool
	// Credentials are the keys that the server knows. Without any, it knows one with
	// [DefaultAccessKeyID] and [DefaultSecretKey].
	Credentials []Credential
	// Region is where the buckets are; a signature for another region is refused. If it is "",
	// it is [DefaultRegion] with Strict; without Strict, every region is accepted.
	Region string
	// Buckets are created at the start, unless they exist. The account of the first
	// credential owns them. If one cannot be created, Start fails.
	Buckets []string
	// Domains are the hosts whose subdomains are buckets, as in
	// bucket.s3.us-east-1.amazonaws.com. With any other host, the bucket is in the path.
	// Nil means localhost and AWS's domains for the region, or for all regions if every region is
	// accepted.
	Domains []string
	// WebsiteDomains are the hosts whose subdomains are buckets as websites, as in
	// photos.s3-website.localhost:9000. Nil means AWS's domain for the region, and
	// s3-website.localhost.
	WebsiteDomains []string
	// Service has the buckets; nil means they are in memory. With a directory (providers/local),
	// everything survives the end of the process, and objects are files under their keys. Any
	// other service makes the server a gateway: requests fail with NotImplemented if the service
	// cannot keep what they ask for. The caller closes it after the server, or after
	// [Handler.Close].
	Service driver.ServiceDriver
	// MaxBytes is how many bytes all objects and parts in memory may take at most; 0 means no limit. Copies share
	// their bytes. Names and properties, delete markers, empty uploads and the settings of buckets may take as
	// much again, and at least 64 MiB. A write beyond it fails with MinIO's XMinioStorageFull and status 507, for
	// which clients do not retry, unlike a 503: waiting would free nothing.
	MaxBytes int64
	// KMSKeys are the ids of the keys that SSE-KMS knows, in addition to the account's own. Nil
	// means every id.
	KMSKeys []string
	// RestoreTime is how long restoring an archived object takes.
	RestoreTime time.Duration
	// Notify receives the events that notification configurations of buckets ask for, before the
	// response to the request ends. It can be called by several requests at once, and must not
	// close the server.
	Notify func(Event)
	// WebhookURL receives the same events as POST requests with AWS's JSON, in their order, while
	// [Handler.Run] runs. An event has three attempts of 5 s, with pauses of 1 s and 2 s. If all
	// fail, the event is lost, and later events have one attempt each, until one succeeds. If
	// 1,000 events wait, further ones are lost. [Handler.LostEvents] counts them.
	WebhookURL string
	// EventARNs are the targets that a notification configuration can name, for Notify and
	// WebhookURL alike: topics, queues or functions. "*" stands for any text. Like AWS, the server
	// refuses other targets with InvalidArgument. Nil means the topics whose name is "events", in
	// any region and of any account, such as [DefaultEventARN].
	EventARNs []string
	// Log is called at the end of each request. Calls may be concurrent. Nil means no log.
	Log func(Entry)
	// Middleware returns what [Start] serves in place of its argument, which is the [Handler].
	// It may respond to requests that are not for S3, such as health checks. Nil means the
	// Handler.
	Middleware func(http.Handler) http.Handler
	// LifecycleDay is how long a day of a lifecycle rule takes when rules are run. 0 means 24
	// hours, with expirations at midnight in UTC as on AWS. Headers always have the time that AWS
	// would send.
	LifecycleDay time.Duration
	// Record is the number of requests that [Handler.Requests] returns, the latest ones.
	Record int
	// AdminToken turns on the admin API, with which tests in any language make the server
	// misbehave. Its requests have the header "Authorization: Bearer <token>", its documents are
	// JSON, and its errors are {"error":"…"}:
	//
	//	POST   /_admin/faults       adds a Fault, whose JSON the type describes; returns {"id":1}
	//	GET    /_admin/faults       {"faults":[{"id":1,"applied":2,"fault":{…}}]}
	//	DELETE /_admin/faults/1     removes one; without a number, all
	//	GET    /_admin/requests     {"total":3,"counts":{"PutObject":3},"requests":[{"operation":"PutObject",…}]}
	//	DELETE /_admin/requests     begins the record and the counts again
	//	GET    /_admin/buckets      {"buckets":[{"name":"photos","created":"…","versioning":"Enabled"}],"next":""}
	//	GET    /_admin/objects?bucket=photos&prefix=a/&after=    {"entries":[{"key":"a/b","size":5,…}],"next":""}
	//	GET    /_admin/versions?bucket=photos&prefix=a/&after=   the same, with versions and delete markers
	//	GET    /_admin/uploads?bucket=photos&after=              {"uploads":[{"key":"k","id":"…","begun":"…","parts":2}],"next":""}
	//
	// Lists have up to 100 entries; next is the value of after for the next entries, and "" at the end. Keys that
	// share the text up to a slash after the prefix are one entry with "folder":true. At most 1,000 parts of an
	// upload are counted. The requests are those of Record, without signatures, tokens and keys. If AdminToken is "",
	// there is no admin API.
	AdminToken string
	// Addr is where [Start] listens, such as "127.0.0.1:9000" or ":9000". "" means a free port
	// of 127.0.0.1.
	Addr string
	// TLS makes [Start] serve TLS. If it has no certificate, such as &tls.Config{}, the server
	// makes one that [Server.Client] trusts: for localhost, the loopback addresses, the host of
	// Addr, and Domains with their buckets. The AWS SDKs send trailers only over TLS.
	TLS    *tls.Config
	Now    func() time.Time // nil means time.Now; responses have this time as their Date
	Limits Limits
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "AdminToken", "WebhookURL") }

// Limits are the limits of the server. A zero field means AWS's limit; smaller limits
// keep tests small.
//
// If there are MaxConnections connections, Start closes one for each new one: the connection
// that has been without a request for longest, if that is at least half a second. If all have
// requests, new connections wait.
type Limits struct {
	MinPartSize int64 // bytes of all parts but the last: 5 MiB
	MaxPartSize int64 // 5 GiB
	MaxPutSize  int64 // bytes of one PutObject: 5 GiB
	MaxCopySize int64 // bytes of one CopyObject: 5 GiB
	MaxParts    int   // 10,000
	MaxPage     int   // entries in one page of a listing: 1,000
	MaxBatch    int   // keys in one DeleteObjects: 1,000
	MaxMetadata int   // bytes of user metadata, names and values: 2 KiB
	MaxHeader   int   // bytes of all headers of a request, names and values: 8 KiB
	MaxBuckets  int   // 10,000
	// These limits are not AWS's.
	MaxConnections int           // connections that Start has open: 1,024
	IdleTimeout    time.Duration // time in which a client must send or read some bytes: 1 minute
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
	id        string  // id of this server, which no other server has
	config    *Config // with all defaults
	anyRegion bool
	anyHost   bool // whether buckets are in host names of all of AWS's regions
	limits    Limits
	store     state.Store

	finished *finishedUploads
	webhook  *webhook.Webhook
	sequence atomic.Int64 // number of the latest event

	faults                        *faults.List[Fault]
	ended                         <-chan struct{} // closed when the server ends; nil if it has no listener
	recorder                      recorder
	documents, anonymousDocuments chan struct{} // places of large documents in use
	answers                       answers
	admin                         http.Handler
}

// New returns a server with the buckets of c, which are empty.
func New(c Config) *Handler {
	c.Credentials = c.credentials()
	anyRegion := c.Region == "" && !c.Strict
	anyHost := anyRegion && c.Domains == nil
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
		c.WebsiteDomains = []string{
			"s3-website." + c.Region + ".amazonaws.com", "s3-website-" + c.Region + ".amazonaws.com", "s3-website.localhost",
		}
	}
	if c.LifecycleDay <= 0 {
		c.LifecycleDay = lifecycle.FullDay
	}
	if c.EventARNs == nil {
		c.EventARNs = []string{"arn:aws:sns:*:*:events"}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{
		id: newRequestID(), config: &c, anyRegion: anyRegion, anyHost: anyHost, limits: c.Limits.complete(),
		finished: newFinishedUploads(),
		faults:   faults.New[Fault](c.Now), recorder: recorder{limit: c.Record}, webhook: webhook.New(c.WebhookURL),
		documents: make(chan struct{}, largeDocuments), anonymousDocuments: make(chan struct{}, anonymousDocuments),
		answers: answers{listing: make(chan struct{}, listers), most: maxHeld},
	}
	h.admin = newAdmin(h)
	h.sequence.Store(time.Now().UnixNano()) // later than the sequence before a restart
	if c.Service != nil {
		h.store = driverstore.New(
			driverstore.Config{
				Service: c.Service, Now: h.now, Account: c.Credentials[0].Account, Region: c.Region,
				Natural: state.NewSettings(c.Strict),
			},
		)
	} else {
		h.store = memory.New(h.now, c.MaxBytes)
	}
	_ = h.createBuckets() // memory does not fail, and Start reports an error of a service
	return h
}

// createBuckets creates Config.Buckets that do not exist.
func (h *Handler) createBuckets() error {
	for _, name := range h.config.Buckets {
		if _, err := h.store.CreateBucket(context.Background(), h.newBucket(name, h.config.Credentials[0].Account)); err != nil {
			return fmt.Errorf("creating bucket %q: %w", name, err)
		}
	}
	return nil
}

// Close closes the buckets of [Config].Service that are open. No request may be in progress.
func (h *Handler) Close() {
	if s, ok := h.store.(*driverstore.Store); ok {
		s.Close()
	}
}

func (h *Handler) now() time.Time { return h.config.Now().UTC() }

func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

var _ http.Handler = (*Handler)(nil)
