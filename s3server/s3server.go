// Package s3server is an S3 server for tests and development. It can run in a test, in a process of
// its own, or as an [http.Handler] in your server. It needs no network, account or container.
//
// In a test, one line starts the server, which ends with the test:
//
//	server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}})
//
// An SDK needs [Server.URL] and [Server.Credentials]. [Server.Env] returns both as environment
// variables for any SDK or subprocess. [Handler.Bucket] writes and reads objects without an SDK.
// [Handler.Requests] and [Handler.Count] tell what clients have sent.
//
// # Strictness
//
// The server does what AWS documents. It checks signatures, conditions, checksums, part sizes, XML,
// bucket policies and object locks, and stores every key that S3 stores. Its errors have AWS's
// codes. If it does not implement an operation, header or parameter of AWS, it responds with
// NotImplemented and never ignores it. The zero [Config] also accepts what other development
// servers accept, and ignores headers that AWS does not know. With Config.Strict, the server
// accepts only what AWS accepts.
//
// # Misbehavior
//
// A real store is slow, busy or unreachable at times. The server can simulate this, so that a test
// shows whether a client retries, resumes and gives up correctly:
//
//	server.Inject(s3server.Fail("PutObject", "SlowDown").Once())
//	server.Inject(s3server.Lose("CompleteMultipartUpload").Once()) // it takes effect, without a response
//	server.Inject(s3server.CutAfter("GetObject", 1000).On("photos", "large/*"))
//	undo := server.Inject(s3server.Throttle("*", 150)) // requests a second
//
// A [Fault] has more effects: latency, bandwidth, redirects, wrong entity tags, a wrong clock,
// stale listings. Programs in other languages add faults with the API that Config.AdminToken
// describes.
//
// # Stores
//
// The server keeps everything in memory, unless Config.Service is set:
//
//	service, err := local.NewServiceDriver("/srv/buckets", local.Config{Create: true})
//	server, err := s3server.Start(s3server.Config{Service: service})
//
// A directory keeps buckets with their settings, versions, locks, tags, access control lists and
// uploads in progress for the next server, even after a kill. Objects are files under their keys.
// Files that other programs write there are objects, too, but their ETag is not an MD5. A key that
// no file can have, such as "a//b" or "folder/", is escaped: the file's name has "!%" in place of
// the empty segment. A file that was written while the bucket did not keep versions is a null
// version. The server recognizes such a file by its time.
//
// Any other service makes the server a gateway, which is a preview: it passes fewer test suites of
// clients. A gateway to S3 shows the ETags of S3. Any other gateway shows ETags that are not MD5s.
// The server keeps records of its own under a prefix that clients cannot name. It passes bodies
// through temporary files. On Google, multipart uploads are open uploads of the store
// ([storage.OpenUploads]). On Azure, multipart uploads are open uploads, too, unless the service
// was made from a client of the SDK. Such uploads do not expire, and their objects have no part
// numbers. The gateway does not implement suspended versioning, encryption with keys, lifecycle
// rules and changes of an object's access control list. If the store has no delete markers, a
// marker disappears together with the version that it hides.
//
// # Limits
//
// Config.MaxBytes limits the stored bytes, and [Limits] the requests. The server disconnects a
// client that neither sends nor reads. It also disconnects a client that takes more than half a
// minute to send a document, or the fields of a form before the file. Listings and other documents
// are in memory while clients read them, at most 64 MiB in total. Beyond that, a request for a
// document of more than 64 KiB fails with SlowDown and status 503, and clients retry. A listing of
// 1,000 long keys with many control characters takes up to 8 MiB. The server makes 16 listings at a
// time, and other listings wait.
//
// # Not implemented
//
// The server has no directory buckets, replication, inventory, analytics, metrics, S3 Select,
// torrents, and checksums of the XXHASH kinds. It accepts signatures of version 2 unless it is
// strict, because boto3 presigns URLs with them by default.
package s3server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/s3server/internal/completed"
	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/events"
	"github.com/omnibucket/storage/s3server/internal/faults"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
	"github.com/omnibucket/storage/s3server/internal/memory"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/webhook"
)

// These are the credentials and the region of a server with a zero [Config].
const (
	DefaultAccessKeyID = "AKIATESTTESTTESTTEST"
	DefaultSecretKey   = "test-secret-key"
	DefaultRegion      = "us-east-1"
)

// Config configures a server. The zero value is for a server like a region of AWS, without buckets.
type Config struct {
	// Strict makes the server accept only what AWS accepts. Otherwise it also accepts what other
	// development servers accept:
	//
	//   - public policies on new buckets, and the canned ACL private
	//   - signatures of version 2
	//   - signatures and locations of any region
	//   - copies of ranges from a source of 5 MiB or less
	//
	// In both cases, the server refuses features that it does not implement, and ACLs are disabled
	// on new buckets: the bucket's owner owns all objects.
	Strict bool
	// Credentials are the access keys that the server accepts. If there are none, it accepts
	// [DefaultAccessKeyID] with [DefaultSecretKey].
	Credentials []Credential
	// Region is the region of the buckets. The server refuses a signature for another region. If Region is "", a strict
	// server uses [DefaultRegion], and any other server accepts every region.
	Region string
	// Buckets has the names of buckets that are created at the start, unless they exist. The
	// account of the first credential owns them. If a bucket cannot be created, Start fails.
	Buckets []string
	// Domains are the hosts whose subdomains are names of buckets, as in
	// bucket.s3.us-east-1.amazonaws.com. For any other host, the bucket is in the path of the URL.
	// Nil means localhost and AWS's domains for the region. If Region is "" and Strict is false,
	// nil means localhost and AWS's domains for all regions.
	Domains []string
	// WebsiteDomains are the hosts whose subdomains are the websites of buckets, as in
	// photos.s3-website.localhost:9000. Nil means AWS's domain for the region, and
	// s3-website.localhost.
	WebsiteDomains []string
	// Service keeps the buckets and objects. If it is nil, they are in memory. With a directory
	// (providers/local), everything survives the end of the process, and objects are files under
	// their keys. Any other service makes the server a gateway. If the service cannot store
	// something that a request asks for, the request fails with NotImplemented. The caller must
	// close the service after the server, or after [Handler.Close].
	Service driver.ServiceDriver
	// MaxBytes is the maximum size of all objects and parts in memory together, in bytes. 0 means
	// no limit. Copies share their bytes. Names, properties, delete markers, empty uploads and the
	// settings of buckets have a second limit: MaxBytes or 64 MiB, whichever is larger. A write
	// beyond a limit fails with status 507 and MinIO's code XMinioStorageFull. Clients do not retry
	// after a 507. They would retry after a 503, although waiting frees no memory.
	MaxBytes int64
	// KMSKeys are the ids of the keys that SSE-KMS accepts, in addition to the key that AWS manages
	// for the account. Nil means every id.
	KMSKeys []string
	// RestoreTime is the time that restoring an archived object takes.
	RestoreTime time.Duration
	// Notify is called with the events that notification configurations of buckets select. The call
	// precedes the end of the response. Several requests may call Notify concurrently. Notify must
	// not close the server.
	Notify func(Event)
	// WebhookURL receives the events that Notify receives, in their order. Each event is a POST
	// request with AWS's JSON, while [Handler.Run] runs. An event has three attempts of at most 5
	// s, with pauses of 1 s and 2 s. If all attempts fail, the event is lost, and later events have
	// one attempt each until one succeeds. If 1,000 events are waiting, further events are lost.
	// [Handler.LostEvents] counts the lost events.
	WebhookURL string
	// EventARNs are the targets that a notification configuration can name: topics, queues or
	// functions. Events for all of them go to Notify and WebhookURL. "*" matches any text. Like
	// AWS, the server refuses other targets with InvalidArgument. Nil means the topics with the
	// name "events" in any region and of any account, such as [DefaultEventARN].
	EventARNs []string
	// Log is called at the end of each request. Calls may be concurrent. If Log is nil, there is no
	// log.
	Log func(Entry)
	// Middleware is called with the [Handler], and returns the handler that [Start] serves instead.
	// It can respond to requests that are not for S3, such as health checks. If it is nil, Start
	// serves the Handler.
	Middleware func(http.Handler) http.Handler
	// LifecycleDay is the length of a day in lifecycle rules. 0 means 24 hours, and expirations are
	// at midnight in UTC, as on AWS. Response headers always have the times that AWS would send.
	LifecycleDay time.Duration
	// Record is the maximum number of requests that [Handler.Requests] returns.
	Record int
	// AdminToken turns on the admin API. With this API, tests in any language make the server
	// misbehave. Requests must have the header "Authorization: Bearer <token>". Documents are JSON,
	// and errors are {"error":"…"}:
	//
	//	POST   /_admin/faults       adds a Fault, whose JSON the type describes; returns {"id":1}
	//	GET    /_admin/faults       {"faults":[{"id":1,"applied":2,"fault":{…}}]}
	//	DELETE /_admin/faults/1     removes one; without a number, all
	//	GET    /_admin/requests     {"total":3,"counts":{"PutObject":3},"requests":[{"operation":"PutObject",…}]}
	//	DELETE /_admin/requests     removes the recorded requests, and sets all counts to 0
	//	GET    /_admin/buckets      {"buckets":[{"name":"photos","created":"…","versioning":"Enabled"}],"next":""}
	//	GET    /_admin/objects?bucket=photos&prefix=a/&after=    {"entries":[{"key":"a/b","size":5,…}],"next":""}
	//	GET    /_admin/versions?bucket=photos&prefix=a/&after=   the same, with versions and delete markers
	//	GET    /_admin/uploads?bucket=photos&after=
	//	       {"uploads":[{"key":"k","id":"…","begun":"…","parts":2}],"next":""}
	//
	// A list of buckets, objects, versions or uploads has up to 100 entries. To get the next
	// entries, repeat the request with the value of "next" in the query parameter "after". At the
	// end, "next" is "". The keys in one folder below the prefix are one entry with "folder":true.
	// The folder ends at the next slash after the prefix. The number of parts of an upload is at
	// most 1,000. The admin API shows the requests that the server has recorded (see Record),
	// without signatures, tokens and keys. If AdminToken is "", there is no admin API.
	AdminToken string
	// Addr is the address at which [Start] listens, such as "127.0.0.1:9000" or ":9000". "" means a
	// free port of 127.0.0.1.
	Addr string
	// TLS makes [Start] serve TLS. If TLS has no certificate, as in &tls.Config{}, the server makes
	// one, which [Server.Client] trusts. The certificate is for localhost, the loopback addresses,
	// the host of Addr, and Domains with their buckets. The AWS SDKs send trailers only over TLS.
	TLS    *tls.Config
	Now    func() time.Time // nil means time.Now; responses have this time as their Date
	Limits Limits
}

// Format prints the fields of c that are set, without secrets. It ignores the verb.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "AdminToken", "WebhookURL") }

// Limits are the limits of the server. A zero field means the limit in the field's comment. Most of
// these limits are AWS's. Smaller limits keep tests small.
//
// If a new connection would exceed MaxConnections, the server of Start closes the connection that
// has been idle longest. If no connection has been idle for half a second, the new connection
// waits.
type Limits struct {
	MinPartSize int64 // minimum bytes of a part, except the last: 5 MiB
	MaxPartSize int64 // 5 GiB
	MaxPutSize  int64 // bytes of one PutObject: 5 GiB
	MaxCopySize int64 // bytes of one CopyObject: 5 GiB
	MaxParts    int   // 10,000
	MaxPage     int   // entries in one page of a listing: 1,000
	MaxBatch    int   // keys in one DeleteObjects: 1,000
	MaxMetadata int   // bytes of the names and values of user metadata: 2 KiB
	MaxHeader   int   // bytes of the names and values of all headers of a request: 8 KiB
	MaxBuckets  int   // 10,000
	// AWS has no such limits.
	MaxConnections int           // open connections to the server of Start: 1,024
	IdleTimeout    time.Duration // time in which a client must send or read some bytes: 1 minute
}

// complete returns l with the default in place of each limit that is 0.
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

// A Handler is an S3 server without a listener. It implements [http.Handler].
type Handler struct {
	config   *Config // with all defaults
	server   *request.Server
	webhook  *webhook.Webhook
	faults   *faults.List[Fault]
	recorder recorder
	admin    http.Handler
}

// New returns a server. It creates c.Buckets, unless they exist in c.Service. If c.Service fails to
// create a bucket, requests for that bucket get the error NoSuchBucket. To see why, use [Start],
// which returns the error of c.Service.
func New(c Config) *Handler {
	// A server without a region of its own accepts any region, and without domains also any host.
	anyRegion := c.Region == "" && !c.Strict
	anyHost := anyRegion && c.Domains == nil
	c.setDefaults()

	h := &Handler{
		config:   &c,
		webhook:  webhook.New(c.WebhookURL),
		faults:   faults.New[Fault](c.Now),
		recorder: recorder{limit: c.Record},
	}

	h.server = &request.Server{
		ID:             request.NewID(),
		Strict:         c.Strict,
		Region:         c.Region,
		AnyRegion:      anyRegion,
		AnyHost:        anyHost,
		Domains:        c.Domains,
		WebsiteDomains: c.WebsiteDomains,
		Limits:         request.Limits(c.Limits.complete()),
		Keys:           keysOf(c.Credentials),
		KMSKeys:        c.KMSKeys,
		RestoreTime:    c.RestoreTime,
		Clock:          c.Now,
		Completed:      completed.New(),
		Documents:      request.NewDocuments(),
	}
	h.admin = newAdmin(h)

	// Without a service, everything is in memory.
	if c.Service != nil {
		h.server.Store = driverstore.New(driverstore.Config{
			Service:  c.Service,
			Now:      h.server.Now,
			Account:  c.Credentials[0].Account,
			Region:   c.Region,
			Defaults: state.NewSettings(c.Strict),
		})
	} else {
		h.server.Store = memory.New(h.server.Now, c.MaxBytes)
	}
	h.server.Events = newSender(h)

	// Ignore the error. Start calls createBuckets again and returns its error. Without
	// Config.Service, the buckets are in memory, and createBuckets does not fail.
	_ = h.createBuckets()
	return h
}

// setDefaults sets the fields that are not set.
func (c *Config) setDefaults() {
	c.Credentials = c.credentials()
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
}

// createBuckets creates those buckets of Config.Buckets that do not exist.
func (h *Handler) createBuckets() error {
	account := h.config.Credentials[0].Account
	for _, name := range h.config.Buckets {
		b := h.server.NewBucket(name, account)
		if _, err := h.server.Store.CreateBucket(context.Background(), b); err != nil {
			return fmt.Errorf("creating bucket %q: %w", name, err)
		}
	}
	return nil
}

// Close closes the open buckets of Config.Service. There must be no requests in progress.
func (h *Handler) Close() {
	if s, ok := h.server.Store.(*driverstore.Store); ok {
		s.Close()
	}
}

// newSender returns a sender of events to Config.Notify and Config.WebhookURL.
func newSender(h *Handler) *events.Sender {
	sender := &events.Sender{
		ARNs:  h.config.EventARNs,
		Store: h.server.Store,
		Now:   h.server.Now,
	}
	if notify := h.config.Notify; notify != nil {
		sender.Notify = func(e events.Event) {
			notify(Event(e))
		}
	}
	if h.config.WebhookURL != "" {
		sender.Webhook = h.webhook
	}

	// Begin with a number greater than any before a restart.
	sender.Begin(time.Now().UnixNano())
	return sender
}

// setDefault sets *value to fallback if it is the zero value.
func setDefault[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

var _ http.Handler = (*Handler)(nil)
