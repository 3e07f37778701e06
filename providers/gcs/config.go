// Package gcs is the driver for Google Cloud Storage.
//
//	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos"})
//
// [Config] says where credentials come from: by default, they are the application default
// credentials.
//
// Every write makes a new generation, which is the object's Revision. If the
// bucket keeps versions, it is also the object's Version. Reads deliver the stored
// bytes: an object that is stored with Content-Encoding gzip is not decompressed.
//
// Google keeps public objects in a cache, for an hour if they have no Cache-Control. A Download never
// returns an object that was overwritten or removed: once a response of the bucket may have come from a
// cache, each read requests the attributes first. To save these requests, write objects that no cache
// keeps (no-store, no-cache, private).
//
// A copy does not have properties that this package does not know, such as an object's custom time, unless
// an option sets them.
//
// An upload of up to 8 MiB is one request, which the server checks before it
// stores anything. A larger one is a resumable session that sends one chunk after
// the other. [Config.ParallelComposite] sends them concurrently.
//
// The SDK also speaks gRPC, which this package does not use. The build tag
// disable_grpc_modules omits it, and with it a third of the program's size.
//
// Tags are custom object contexts. A copy from another provider may have tags that Google refuses: a value
// that is empty, begins with a sign or has a slash, or a key that begins with "goog". They are stored with
// "0~" in front and "~" for each slash, and are read back as they were. Google needs the permissions
// storage.objects.createContext, updateContext and, to copy without the tags of the source, dropContexts.
// Signed addresses and forms cannot set tags.
//
// A retention is an object retention, Unlocked for Governance and Locked for Compliance. A legal
// hold is a temporary hold, in any bucket; while it lasts, the object can neither be overwritten
// nor removed, even if the bucket keeps versions. Google cannot remove an object under retention:
// [storage.WithGovernanceBypass] ends the retention by one request, and removes the object by
// another. If the second fails, the retention is gone.
//
// [storage.As] returns a *storage.Client of cloud.google.com/go/storage with the same
// credentials and settings, which retries as the SDK does.
//
// Importing the package registers the scheme gs, as in gs://photos, with the
// parameters project=, endpoint=, anonymous=, signing_key=, kms_key=,
// user_project= and credentials=. The address of an account, for [storage.OpenService], is the same
// without a bucket's name.
package gcs

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/redact"
)

const provider = "gcs"

// Config configures a bucket. Opening it makes no request. The first of these
// that is set has the credentials: STORAGE_EMULATOR_HOST, whose emulator
// gets none; CredentialsJSON, TokenSource or Credentials. If Anonymous is set, or if Endpoint
// is not one of Google's, there are none. Otherwise the first request looks up
// application default credentials: GOOGLE_APPLICATION_CREDENTIALS, gcloud's file,
// Google's metadata service. Only that last case asks the metadata service.
//
// Credentials of a universe other than googleapis.com, as set by their file or by
// GOOGLE_CLOUD_UNIVERSE_DOMAIN, go only to that universe. If Endpoint is empty,
// it is the storage host of that universe, and Google's own hosts are refused.
// Client certificates (mTLS) come from HTTPClient:
// GOOGLE_API_USE_CLIENT_CERTIFICATE is not read.
type Config struct {
	Bucket  string // the bucket's name; empty for an account
	Project string // project in which an account creates and lists buckets; "" means that of the credentials
	// Endpoint is the server's root without a path, such as "http://127.0.0.1:4443". If it is
	// empty, it is that of STORAGE_EMULATOR_HOST or of Google.
	Endpoint string

	CredentialsJSON []byte             // the content of a key file or credential configuration from a trusted source
	TokenSource     oauth2.TokenSource // source of access tokens; it must cache them itself
	// Credentials is the name of credentials, for programs with several accounts. The variable
	// <NAME>_GOOGLE_APPLICATION_CREDENTIALS has the path of their file, a key file or credential
	// configuration; the name is in upper case there, with an underscore for each character that is
	// no letter or digit. If the variable is not set, opening fails with Unauthenticated.
	Credentials string
	Anonymous   bool // requests carry no credentials
	// CredentialsFor returns the access token for an object's name or, for a listing, its prefix. An Iceberg REST
	// catalog vends such tokens. It is called for the first request, half a minute before the token expires, and once
	// if Google refuses it. Requests at the same time share one call. If no token is valid and the call fails, the
	// request fails with its error, with the code Unauthenticated unless it has PermissionDenied, RateLimited,
	// Unavailable or DeadlineExceeded. Google copies only between objects with the same token; else the bytes pass
	// through the process. [storage.As] returns false. [NewService] does not take it.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// UserProject is the project that is billed for the requests, which buckets whose requester
	// pays need; signed URLs name it too. "" means the quota project of the credentials.
	UserProject string
	// KMSKey encrypts every object that the bucket writes with this key of Cloud
	// KMS: projects/P/locations/L/keyRings/R/cryptoKeys/K. "" means the bucket's
	// default. [WithKMSKey] and [WithCustomerKey] replace it for one object.
	KMSKey string

	// SigningKey is the key file of a service account, which signs URLs and
	// forms. If it is nil, CredentialsJSON signs if it is a key file; otherwise
	// the IAM service signs for SigningAccount.
	SigningKey     []byte
	SigningAccount string // the e-mail address of a service account; "" means the account of the credentials

	// ParallelComposite sends the parts of a large upload concurrently, as
	// objects that the last request composes and that are removed afterwards. One
	// large object is uploaded faster, at a price. Each part costs a write, a
	// removal, and the minimum storage time of a cold class; composed objects
	// have no MD5. A bucket with soft delete, as new buckets have for seven days,
	// bills the parts for that time too. Turn soft delete off, or do not set
	// ParallelComposite. A bucket with a retention policy keeps the parts.
	// An upload that fails removes its parts. It cancels requests in progress, and the
	// server may still store one of these parts after that. [SweepParts] removes such
	// parts, and those of a process that died. The parts of
	// storage.BeginUpload are such objects, too, with or without ParallelComposite.
	ParallelComposite bool

	// HTTPClient makes the requests, to which this package adds the credentials.
	// If it is nil, a client for bulk transfers is made.
	HTTPClient *http.Client
}

// Format shows the fields of c that are set, whatever the verb is, and no secrets.
func (c Config) Format(s fmt.State, _ rune) { redact.Fields(s, c, "CredentialsJSON", "SigningKey") }

// Open opens a bucket without a request. If the bucket does not exist, the first
// operation fails with BucketNotFound. If c is invalid, Open fails with
// InvalidArgument.
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return engine.New(d, opts...), nil
}

// isInvalidInBucket reports whether a character cannot be part of a bucket's name
// and would change a URL.
func isInvalidInBucket(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`/\?#%`, c) }

// NewDriver opens a bucket as [Open] does, for [engine.New].
func NewDriver(ctx context.Context, c Config) (driver.Driver, error) {
	if c.Bucket == "" || c.Bucket == "." || c.Bucket == ".." || strings.ContainsFunc(c.Bucket, isInvalidInBucket) {
		return nil, argument.Invalid("Config.Bucket", "must be a bucket's name", "")
	}
	if c.CredentialsFor != nil {
		return openVended(ctx, c)
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return newDriver(a, c.Bucket), nil
}
