// Package gcs is the driver for Google Cloud Storage.
//
//	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos"})
//
// [Config] describes where credentials come from. By default, they are the application default
// credentials.
//
// Every write creates a new generation, which is the object's Revision. If the bucket keeps
// versions, the generation is also the object's Version. Reads return the bytes as they are stored:
// an object that is stored with Content-Encoding gzip is not decompressed.
//
// Google keeps public objects in a cache, for an hour if they have no Cache-Control. But a Download
// never returns an object that was overwritten or removed. Once a response of the bucket may have
// come from a cache, each read first requests the attributes. To avoid these requests, write
// objects with a Cache-Control that caches respect (no-store, no-cache, private).
//
// A copy loses properties that this package does not know, such as an object's custom time, unless
// an option sets them.
//
// An upload of up to 8 MiB is one request, which the server verifies before it stores anything. A
// larger upload is a resumable session, which sends one chunk after the other. With
// [Config.ParallelComposite], its parts are sent concurrently.
//
// The SDK also supports gRPC, which this package does not use. The build tag disable_grpc_modules
// omits gRPC, and with it a third of the program's size.
//
// Tags are custom object contexts. A copy from another provider may have tags that Google refuses:
// a value that is empty, begins with a sign or has a slash, or a key that begins with "goog". They
// are stored with the prefix "0~" and with "~" in place of each slash. Tags returns them unchanged.
// To write tags, Google requires the permissions storage.objects.createContext and updateContext. A
// copy without the tags of the source requires dropContexts. Signed URLs and forms cannot set tags.
//
// A retention is an object retention, with the mode Unlocked for Governance and Locked for
// Compliance. A legal hold is a temporary hold, which any bucket supports. A held object can
// neither be overwritten nor removed, even if the bucket keeps versions. Google cannot remove an
// object under retention. So [storage.WithGovernanceBypass] ends the retention in one request, and
// removes the object in another. If the second request fails, the object remains without a
// retention.
//
// [storage.As] returns a *storage.Client of cloud.google.com/go/storage with the same credentials
// and settings. It retries as the SDK does.
//
// Importing the package registers the scheme gs, as in gs://photos, with the parameters project=,
// endpoint=, anonymous=, signing_key=, kms_key=, user_project= and credentials=. The address of an
// account, for [storage.OpenService], is the same without a bucket's name.
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

// Config configures a bucket. Opening it makes no request. The credentials are the first of these
// that applies:
//
//   - If Endpoint is empty and STORAGE_EMULATOR_HOST is set, requests carry no credentials.
//   - If CredentialsJSON, TokenSource or Credentials is set, requests carry these credentials.
//   - If Anonymous is set, or if Endpoint is not one of Google's, requests carry no credentials.
//   - Otherwise the first request looks up application default credentials:
//     GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, and Google's metadata service.
//
// Credentials may belong to another universe than googleapis.com. The file of the credentials or
// GOOGLE_CLOUD_UNIVERSE_DOMAIN then names that universe. Such credentials are sent only to hosts of
// their universe. If Endpoint is empty, requests go to the storage host of that universe. If
// Endpoint is one of Google's own hosts, opening fails.
//
// HTTPClient must have the client certificates (mTLS), if any: GOOGLE_API_USE_CLIENT_CERTIFICATE is
// not read.
type Config struct {
	Bucket  string // the bucket's name; empty for an account
	Project string // project in which an account creates and lists buckets; "" means that of the credentials
	// Endpoint is the server's root without a path, such as "http://127.0.0.1:4443". If it is
	// empty, the server is that of STORAGE_EMULATOR_HOST, or else Google.
	Endpoint string

	CredentialsJSON []byte             // the content of a key file or credential configuration from a trusted source
	TokenSource     oauth2.TokenSource // source of access tokens; it must cache the tokens itself
	// Credentials is a name for credentials in the environment, for programs with several accounts.
	// The variable <NAME>_GOOGLE_APPLICATION_CREDENTIALS must have the path of a key file or
	// credential configuration. <NAME> is the name in upper case, with an underscore in place of
	// each character that is not a letter or digit. If the variable is not set, opening fails with
	// Unauthenticated.
	Credentials string
	Anonymous   bool // requests carry no credentials
	// CredentialsFor returns an access token for key, which is the name of an object or the prefix
	// of a listing. An Iceberg REST catalog vends such tokens. The function is called for the first
	// request, again half a minute before the token expires, and once if Google refuses the token.
	// Concurrent requests share one call.
	// The call ends only when the function returns, so it must return when its context ends.
	//
	// If CredentialsFor fails and no earlier token is valid, the request fails with the error of
	// CredentialsFor. The request's error keeps the codes PermissionDenied, RateLimited,
	// Unavailable and DeadlineExceeded. Any other error gets the code Unauthenticated.
	//
	// Google copies only between objects with the same token. Otherwise the bytes pass through this
	// process. With CredentialsFor, [storage.As] returns false, and [NewService] fails.
	CredentialsFor func(ctx context.Context, key string) (PrefixCredentials, error)

	// UserProject is the project that is billed for the requests. Buckets with requester pays need
	// it. Signed URLs contain it, too. If it is empty, the quota project of the credentials is
	// billed.
	UserProject string
	// KMSKey is the key of Cloud KMS that encrypts every object which the bucket writes:
	// projects/P/locations/L/keyRings/R/cryptoKeys/K. If it is empty, the bucket's default key
	// applies. [WithKMSKey] and [WithCustomerKey] replace the key for one object.
	KMSKey string

	// SigningKey is the key file of a service account, which signs URLs and forms. If it is nil and
	// CredentialsJSON is a key file, that key signs. Otherwise the IAM service signs for
	// SigningAccount.
	SigningKey     []byte
	SigningAccount string // the e-mail address of a service account; "" means the account of the credentials

	// ParallelComposite sends the parts of a large upload concurrently, as objects. The last
	// request composes the object from them, and then they are removed. One large object is
	// uploaded faster, but costs more: each part costs a write, a removal, and the minimum storage
	// time of a cold class. Composed objects have no MD5.
	//
	// New buckets keep removed objects for seven days (soft delete), and bill the parts for that
	// time, too. Turn soft delete off for such a bucket, or do not set ParallelComposite. A bucket
	// with a retention policy keeps the parts.
	//
	// An upload that fails removes its parts. But the server may still store a part whose request
	// was in progress. [SweepParts] removes such parts, and the parts of a process that died. The
	// parts of storage.BeginUpload are objects, too, with or without ParallelComposite.
	ParallelComposite bool

	// HTTPClient makes the requests, to which this package adds the credentials. If it is nil, this
	// package creates a client for bulk transfers.
	HTTPClient *http.Client
}

// Format prints the fields of c that are set, without secrets. All verbs print the same text.
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

// isInvalidInBucket reports whether a bucket's name cannot contain the character, because the
// character would change a URL.
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
