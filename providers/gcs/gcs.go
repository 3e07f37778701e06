// Package gcs keeps buckets on Google Cloud Storage.
//
//	bucket, err := gcs.Open(ctx, gcs.Config{Bucket: "photos"})
//
// Every write makes a new generation, which is an object's Revision, and its
// Version where the bucket keeps versions. Reads deliver the stored bytes: what
// is stored with Content-Encoding gzip is not unpacked on the way.
//
// A Download of an object that everybody may read, and that was stored without a
// Cache-Control, says "public, max-age=3600", as Google serves it, and a Copy that
// passes through this process stores that; Attrs says what is stored. What this
// package does not speak of, such as an object's custom time, a copy does not have.
//
// An upload of up to 8 MiB is one request that the server checks before it
// stores anything; a larger one is a resumable session, whose chunks go one after
// the other. Config.ParallelComposite has them go beside one another.
//
// The SDK beneath speaks gRPC too, which nothing here uses: the build tag
// disable_grpc_modules leaves it out, and a third of the program's size with it.
//
// storage.As gives a *storage.Client of cloud.google.com/go/storage: the one of
// Config.Client, or one with the same credentials and settings, which retries as
// the SDK does.
//
// Importing it registers the scheme of its addresses: gs://photos with the
// parameters project=, endpoint=, anonymous= and signing_key=. The address of
// an account, for storage.OpenService, is the same without a bucket's name.
package gcs

import (
	"context"
	"net/http"
	"strings"

	gcs "cloud.google.com/go/storage"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

const provider = "gcs"

// Config says which bucket, where, and with which credentials. Opening makes no
// request. Credentials are, in this order: Client's; none at the emulator that
// STORAGE_EMULATOR_HOST names; CredentialsJSON or TokenSource; none where
// Anonymous is set or Endpoint is not one of Google's own; and else application
// default credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud's file, Google's
// metadata service), which are looked up by the first request. With any but the
// last, that service is never asked.
//
// Credentials of another universe than googleapis.com, as their file or
// GOOGLE_CLOUD_UNIVERSE_DOMAIN says, go to that universe only: "" as Endpoint is
// its storage host, and Google's hosts are refused. Client certificates (mTLS) are
// those of HTTPClient or Client: GOOGLE_API_USE_CLIENT_CERTIFICATE is not read.
type Config struct {
	Bucket  string // the name; empty for an account
	Project string // in which an account creates and lists buckets; "" is the credentials' own
	// Endpoint is the server's root, "http://127.0.0.1:4443", without a path; ""
	// is what STORAGE_EMULATOR_HOST names, or Google.
	Endpoint string

	CredentialsJSON []byte             // a key file's or credential configuration's content; it must come from somewhere trusted
	TokenSource     oauth2.TokenSource // of access tokens; it does its own caching
	Anonymous       bool               // requests carry no credentials

	// SigningKey is a service account's key file, which signs addresses and
	// forms; nil: CredentialsJSON, where it is one, or the IAM service, which
	// signs for SigningAccount.
	SigningKey     []byte
	SigningAccount string // a service account's e-mail; "" is the credentials' own

	// ParallelComposite has the parts of a large upload sent beside one another,
	// as objects of their own that one last request joins, and that are removed
	// then. It is faster for one large object, and it costs: a write and a removal
	// for each part, the least time of storage of a cold class for each, and
	// objects without an MD5. A bucket with soft delete, which new ones have for
	// seven days, bills the parts for as long again as the object: turn it off, or
	// leave this away. A bucket with a retention policy keeps the parts.
	// What a process leaves behind that dies on the way, SweepParts removes.
	ParallelComposite bool

	// Client is a client of the SDK: its credentials and settings are kept, but
	// for retrying. Its HTTP client cannot be had, so that an upload is one Writer
	// of the SDK's, however large, which buffers up to 4 MiB, is not resumed when
	// it fails, and leaves a session behind then that expires after a week; and a
	// download asks for the attributes first. Endpoint says beside it where
	// signed and public addresses point to.
	Client *gcs.Client
	// HTTPClient makes the requests, to which credentials are added here; nil:
	// one made for bulk transfers.
	HTTPClient *http.Client
}

// Open opens a bucket without a request: a bucket that is not there is
// BucketNotFound at the first operation. InvalidArgument where Config makes no
// sense.
func Open(ctx context.Context, c Config, opts ...storage.OpenOption) (storage.Bucket, error) {
	d, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	return storage.New(d, opts...), nil
}

// isForeign reports whether a character is of no bucket's name, but would be one
// of an address.
func isInvalidInBucket(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`/\?#%`, c) }

// NewDriver opens a bucket as Open does, for storage.New.
func NewDriver(ctx context.Context, c Config) (storage.Driver, error) {
	if c.Bucket == "" || c.Bucket == "." || c.Bucket == ".." || strings.ContainsFunc(c.Bucket, isInvalidInBucket) {
		return nil, invalid.Argument("Config.Bucket", "must be a bucket's name", "")
	}
	a, err := newAccount(ctx, c)
	if err != nil {
		return nil, err
	}
	return &driver{account: a, bucket: c.Bucket}, nil
}
