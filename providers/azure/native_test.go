package azure

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// These are the keys of Ceph's s3-tests. Their hashes were computed for this test.
const (
	firstKey, firstKeyHash   = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", "tcbQ+aRkuPwjLhUs7yvwzwexw+bICUWoBcNpGMEmeZg="
	secondKey, secondKeyHash = "6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4=", "9T1+Ua3bFrjZmwCNdk+3oKXHnM8kjTwBJkYVxUwGXlc="
)

// decodeKey decodes a customer's key from base64.
func decodeKey(t *testing.T, text string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return key
}

// encryptionHeaders returns the headers that decide the encryption of a request. Their names are
// without "x-ms-".
func encryptionHeaders(r http.Header) map[string]string {
	header := map[string]string{}
	for name := range r {
		if lower := strings.ToLower(name); strings.Contains(lower, "encryption") {
			header[strings.TrimPrefix(lower, "x-ms-")] = r.Get(name)
		}
	}
	return header
}

var (
	noEncryption = map[string]string{}
	keyHeaders   = map[string]string{
		"encryption-key":        firstKey,
		"encryption-key-sha256": firstKeyHash,
		"encryption-algorithm":  "AES256",
	}
	sourceKeyHeaders = map[string]string{
		"source-encryption-key":        secondKey,
		"source-encryption-key-sha256": secondKeyHash,
		"source-encryption-algorithm":  "AES256",
	}
	sourceReadHeaders = map[string]string{
		"encryption-key":        secondKey,
		"encryption-key-sha256": secondKeyHash,
		"encryption-algorithm":  "AES256",
	}
	bothKeyHeaders = map[string]string{
		"encryption-key":               firstKey,
		"encryption-key-sha256":        firstKeyHash,
		"encryption-algorithm":         "AES256",
		"source-encryption-key":        secondKey,
		"source-encryption-key-sha256": secondKeyHash,
		"source-encryption-algorithm":  "AES256",
	}
)

// update adds "!" to the content of "a", and replaces its metadata.
func update(t *testing.T, bucket storage.Bucket, opts ...storage.UploadOption) error {
	t.Helper()
	addMark := func(old []byte, _ *storage.Attrs) ([]byte, error) {
		require.Equal(t, "hello", string(old))
		return append(old, '!'), nil
	}
	opts = append(opts, storage.WithMetadata(map[string]string{"k": "v"}))
	_, err := storage.Update(t.Context(), bucket, "a", addMark, opts...)
	return err
}

// scopeHeaders returns the header of a write with an encryption scope.
func scopeHeaders(name string) map[string]string { return map[string]string{"encryption-scope": name} }

// Each request for the data of an object has the headers of the customer's key. Without such a key, each write has
// the encryption scope of the call or, if it has none, that of Config.
func TestWithCustomerKeyRequests(t *testing.T) {
	const twoBlocks = "twelve bytes" // with a part size of 6
	key := WithCustomerKey(decodeKey(t, firstKey))
	source := WithSourceCustomerKey(decodeKey(t, secondKey))
	scope := WithEncryptionScope("tenant-1")
	object := objectReply("hello")

	tests := []struct {
		name        string
		version     string // Config.APIVersion
		configScope string // Config.EncryptionScope
		replies     []reply
		call        func(bucket storage.Bucket) error
		want        []map[string]string // the headers of each request
	}{
		{
			name:    "upload, key",
			replies: []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)
				return err
			},
			want: []map[string]string{keyHeaders},
		},
		{
			name:        "upload, scope of the call",
			configScope: "account-wide",
			replies:     []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), scope)
				return err
			},
			want: []map[string]string{scopeHeaders("tenant-1")},
		},
		{
			name:        "upload, scope of Config",
			configScope: "account-wide",
			replies:     []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
				return err
			},
			want: []map[string]string{scopeHeaders("account-wide")},
		},
		{
			name:        "upload, key and scope of Config",
			configScope: "account-wide",
			replies:     []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)
				return err
			},
			want: []map[string]string{keyHeaders},
		},
		{
			name:    "upload of two blocks, key",
			replies: []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(twoBlocks), key, storage.WithPartSize(6))
				return err
			},
			want: []map[string]string{keyHeaders, keyHeaders, keyHeaders},
		},
		{
			name:        "upload of two blocks, scope of Config",
			configScope: "account-wide",
			replies:     []reply{created},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(twoBlocks), storage.WithPartSize(6))
				return err
			},
			want: []map[string]string{scopeHeaders("account-wide"), scopeHeaders("account-wide"), scopeHeaders("account-wide")},
		},
		{
			name:        "Attrs, key and scope of Config",
			configScope: "account-wide",
			replies:     []reply{object},
			call: func(bucket storage.Bucket) error {
				_, err := bucket.Attrs(t.Context(), "a", key)
				return err
			},
			want: []map[string]string{keyHeaders},
		},
		{
			name:        "read, key and scope of Config",
			configScope: "account-wide",
			replies:     []reply{object},
			call: func(bucket storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), bucket, "a", key)
				return err
			},
			want: []map[string]string{keyHeaders},
		},
		{
			name:    "read of the last bytes, key",
			replies: []reply{object, objectReply("lo", "Content-Range", "bytes 3-4/5")},
			call: func(bucket storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), bucket, "a", key, storage.WithRange(-2, -1))
				return err
			},
			want: []map[string]string{keyHeaders, keyHeaders},
		},
		{
			name:        "read, scope of Config",
			configScope: "account-wide",
			replies:     []reply{object},
			call: func(bucket storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), bucket, "a")
				return err
			},
			want: []map[string]string{noEncryption},
		},
		{
			name:    "Update, key",
			replies: []reply{object, created},
			call: func(bucket storage.Bucket) error {
				return update(t, bucket, key)
			},
			want: []map[string]string{keyHeaders, keyHeaders},
		},
		{
			name:    "Update, scope of the call",
			replies: []reply{object, created},
			call: func(bucket storage.Bucket) error {
				return update(t, bucket, scope)
			},
			want: []map[string]string{noEncryption, scopeHeaders("tenant-1")},
		},
		{
			name:        "Update, scope of a function of WithOptions",
			configScope: "account-wide",
			replies:     []reply{object, created},
			call: func(bucket storage.Bucket) error {
				return update(t, bucket, WithOptions(Options{Upload: func(o *blockblob.UploadOptions) {
					o.CPKScopeInfo.EncryptionScope = to.Ptr("mine")
				}}))
			},
			want: []map[string]string{noEncryption, scopeHeaders("mine")},
		},
		{
			name:        "copy, scope of Config",
			configScope: "account-wide",
			replies:     []reply{object, accepted},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from")
				return err
			},
			want: []map[string]string{noEncryption, scopeHeaders("account-wide")},
		},
		{
			// In this version, the request to copy has no scope, so the driver copies a block and
			// commits it.
			name:        "copy, scope of Config, older service",
			version:     "2019-12-12",
			configScope: "account-wide",
			replies:     []reply{object, created},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from")
				return err
			},
			want: []map[string]string{noEncryption, scopeHeaders("account-wide"), scopeHeaders("account-wide")},
		},
		{
			name:        "copy, key and scope of Config",
			configScope: "account-wide",
			replies:     []reply{object, created},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from", key)
				return err
			},
			want: []map[string]string{noEncryption, keyHeaders, keyHeaders},
		},
		{
			name:    "copy, key and key of the source",
			replies: []reply{object, created},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from", key, source)
				return err
			},
			want: []map[string]string{sourceReadHeaders, bothKeyHeaders, keyHeaders},
		},
		{
			name:    "copy, key of the source",
			replies: []reply{object, created},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "from", source)
				return err
			},
			want: []map[string]string{sourceReadHeaders, sourceKeyHeaders, noEncryption},
		},
		{
			name:    "Compose, key and key of the source",
			replies: []reply{object, created},
			call: func(bucket storage.Bucket) error {
				_, err := storage.Compose(t.Context(), bucket, "a", []string{"from"}, key, source)
				return err
			},
			want: []map[string]string{sourceReadHeaders, bothKeyHeaders, keyHeaders},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			d := server.openDriver(t, func(c *Config) {
				c.APIVersion = tt.version
				c.EncryptionScope = tt.configScope
			})
			require.NoError(t, tt.call(engine.New(d)))

			var got []map[string]string
			for _, r := range server.Requests() {
				got = append(got, encryptionHeaders(r.Header))
			}
			require.Equal(t, tt.want, got, "%v", server.Lines())
		})
	}
}

// An upload with an invalid native option fails without a request.
func TestNativeOptionsInvalid(t *testing.T) {
	const keySize = 32
	key := make([]byte, keySize)
	tests := []struct {
		name     string
		opts     []storage.UploadOption
		endpoint string // "" means that of the server
		want     string // a part of the error
	}{
		{
			name: "a short key",
			opts: []storage.UploadOption{WithCustomerKey(key[:keySize-1])},
			want: "WithCustomerKey must have 32 bytes",
		},
		{
			name: "no key",
			opts: []storage.UploadOption{WithCustomerKey(nil)},
			want: "WithCustomerKey must have 32 bytes",
		},
		{
			name:     "a key without TLS",
			opts:     []storage.UploadOption{WithCustomerKey(key)},
			endpoint: "http://files.example.com/acme",
			want:     "WithCustomerKey needs an address with https",
		},
		{
			name: "a scope and a key",
			opts: []storage.UploadOption{WithEncryptionScope("abc"), WithCustomerKey(key)},
			want: "must not be set together",
		},
		{
			name: "a scope and a key in blocks",
			opts: []storage.UploadOption{
				WithEncryptionScope("abc"), WithCustomerKey(key), storage.WithPartSize(1),
			},
			want: "must not be set together",
		},
		{
			name: "an empty tier",
			opts: []storage.UploadOption{WithAccessTier("")},
			want: "WithAccessTier must not be empty",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t)
			d := server.openDriver(t, func(c *Config) {
				if tt.endpoint != "" {
					c.Endpoint = tt.endpoint
					c.Key = testKey
				}
			})

			_, err := engine.New(d).Upload(t.Context(), "a", strings.NewReader("hello"), tt.opts...)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, server.Requests())
		})
	}
}

// An encryption scope with an invalid name, such as a key of another provider, fails without a
// request.
func TestWithEncryptionScopeInvalid(t *testing.T) {
	tests := []struct{ name, scope string }{
		{name: "a key of Amazon", scope: "arn:aws:kms:eu-west-1:1:key/2"},
		{name: "a key of Google", scope: "projects/p/locations/l/keyRings/r/cryptoKeys/k"},
		{name: "empty"},
		{name: "two characters", scope: "ab"},
		{name: "two dashes", scope: "a--b"},
		{name: "a line break", scope: "abc\n"},
		{name: "64 characters", scope: strings.Repeat("a", 64)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t)
			bucket := engine.New(server.openDriver(t))

			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello"), WithEncryptionScope(tt.scope))
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "WithEncryptionScope must be")
			require.Empty(t, server.Requests())
		})
	}
}

// NewDriver refuses an invalid Config.EncryptionScope, and one that the API version does not have.
func TestConfigEncryptionScopeInvalid(t *testing.T) {
	tests := []struct {
		name    string
		scope   string
		version string
	}{
		{name: "a key of Amazon", scope: "arn:aws:kms:1"},
		{name: "an old version", scope: "abc", version: "2018-11-09"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDriver(t.Context(), Config{
				Bucket:          "photos",
				Account:         testAccount,
				Key:             testKey,
				EncryptionScope: tt.scope,
				APIVersion:      tt.version,
			})
			require.ErrorContains(t, err, "Config.EncryptionScope")
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// Encryption options are Unsupported on a service that is too old for them, because it would ignore
// their headers.
func TestEncryptionOptionsOfOldService(t *testing.T) {
	server := newCannedServer(t)
	bucket := engine.New(server.openDriver(t, func(c *Config) {
		c.APIVersion = "2018-11-09"
	}))
	for _, option := range []storage.UploadOption{
		WithEncryptionScope("abc"), WithCustomerKey(make([]byte, 32)),
	} {
		_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), option)
		require.ErrorIs(t, err, storage.Unsupported)
	}
	require.Empty(t, server.Requests())
}

// A native value of an unknown type is Unsupported.
func TestNativeOptionUnknown(t *testing.T) {
	bucket := engine.New(newCannedServer(t).openDriver(t))
	_, err := bucket.Attrs(t.Context(), "a", storage.WithNative(provider, "text"))
	require.ErrorIs(t, err, storage.Unsupported)
}

// requireNoKey requires that text shows no part of a customer's key, in any encoding.
func requireNoKey(t *testing.T, text string) {
	t.Helper()
	key := decodeKey(t, firstKey)
	for _, secret := range []string{
		firstKey, firstKey[:12], fmt.Sprintf("%x", key), fmt.Sprint(key), fmt.Sprintf("%q", key), string(key),
	} {
		require.NotContains(t, text, secret)
	}
}

// The customer's key does not appear if an option with it, or a request with the option, is printed
// in any way.
func TestWithCustomerKeyIsNotPrinted(t *testing.T) {
	key := decodeKey(t, firstKey)
	value := customerkey.New("WithCustomerKey", key)
	req := &driver.PutRequest{Key: "a"}
	req.Native = []any{value}

	for _, printed := range []any{
		value,
		&value,
		WithCustomerKey(key),
		WithSourceCustomerKey(key),
		req,
		*req,
		[]any{value},
		map[string]any{"k": value},
		struct{ k *customerkey.Key }{value},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			requireNoKey(t, fmt.Sprintf(verb, printed))
		}

		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("option", "value", printed)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("option", "value", printed)
		requireNoKey(t, log.String())

		// The text is empty if the value cannot be marshaled.
		text, _ := json.Marshal(printed)
		requireNoKey(t, string(text))
	}
}

// The fingerprint of a customer's key tells keys apart without showing them.
func TestWithCustomerKeyFingerprint(t *testing.T) {
	first := customerkey.New("WithCustomerKey", decodeKey(t, firstKey))
	second := customerkey.New("WithCustomerKey", decodeKey(t, secondKey))
	require.NotEqual(t, second.Fingerprint(), first.Fingerprint())
	requireNoKey(t, first.Fingerprint())
}

// The error of a call with a customer's key does not show the key, and no error that it wraps does.
func TestWithCustomerKeyInNoError(t *testing.T) {
	key := WithCustomerKey(decodeKey(t, firstKey))
	tests := []struct {
		name     string
		response reply
	}{
		{name: "another key", response: errorReply(http.StatusConflict, "BlobUsesCustomerSpecifiedEncryption")},
		{name: "an internal error", response: errorReply(http.StatusInternalServerError, "InternalError")},
		{name: "no response", response: reply{Cut: true}},
		{name: "a status alone", response: reply{Status: http.StatusForbidden}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := engine.New(newCannedServer(t, tt.response).openDriver(t), oneAttempt)
			_, uploadErr := bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)
			_, attrsErr := bucket.Attrs(t.Context(), "a", key)
			_, downloadErr := bucket.Download(t.Context(), "a", key)

			for _, err := range []error{uploadErr, attrsErr, downloadErr} {
				require.Error(t, err)
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					requireNoKey(t, fmt.Sprintf("%v %+v", inner, inner))
				}
			}
		})
	}
}

// The file of WithResume does not contain the customer's key.
func TestWithCustomerKeyInNoJournal(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")

	// The second block is refused, so the journal with the first block stays.
	server := newCannedServer(t, created, errorReply(403, "AuthorizationFailure"))
	_, err := engine.New(server.openDriver(t)).Upload(t.Context(), "a", strings.NewReader("twelve bytes"),
		WithCustomerKey(decodeKey(t, firstKey)),
		storage.WithPartSize(int64(len("twelve"))),
		storage.WithConcurrency(1),
		storage.WithResume(journal))
	require.ErrorIs(t, err, storage.PermissionDenied)

	text, err := os.ReadFile(journal)
	require.NoError(t, err)
	requireNoKey(t, string(text))
}

// WithResume continues an upload of another process only if the customer's key is the same. With
// another key, it sends all blocks again.
func TestWithResumeNeedsSameCustomerKey(t *testing.T) {
	tests := []struct {
		name       string
		key        string // of the second process
		wantBlocks int    // that the second process sends
	}{
		{name: "the same key", key: firstKey, wantBlocks: 1},
		{name: "another key", key: secondKey, wantBlocks: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			journal := filepath.Join(t.TempDir(), "journal")

			// The first process stores one block of two, and then fails.
			refusing := newCannedServer(t, created, errorReply(403, "AuthorizationFailure"))
			require.Error(t, uploadResumable(t, refusing, firstKey, journal))

			// The second process sends the missing block, or both, and then commits them.
			const commits = 1
			server := newCannedServer(t, created)
			require.NoError(t, uploadResumable(t, server, tt.key, journal))
			require.Len(t, server.Requests(), tt.wantBlocks+commits)
		})
	}
}

// uploadResumable uploads two blocks of 6 bytes with a customer's key and a journal. All servers have the same
// address in the journal.
func uploadResumable(t *testing.T, server *cannedServer, key, journal string) error {
	t.Helper()
	d := server.openDriver(t, func(c *Config) {
		c.Endpoint = "http://127.0.0.1:1/" + emulatorAccount
		c.HTTPClient = &http.Client{Transport: redirectTo(server.URL)}
	})
	_, err := engine.New(d).Upload(t.Context(), "a", strings.NewReader("twelve bytes"),
		WithCustomerKey(decodeKey(t, key)),
		storage.WithPartSize(6), storage.WithConcurrency(1), storage.WithResume(journal))
	return err
}

// redirectTo sends every request to the server at address, so that two servers are one store.
type redirectTo string

// RoundTrip sends r to the server at the address.
func (address redirectTo) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(string(address), "http://")
	transport := &http.Transport{DisableKeepAlives: true}
	return transport.RoundTrip(r)
}

// The error of a read without the customer's key says how to read the object.
func TestWithCustomerKeyHint(t *testing.T) {
	server := newCannedServer(t, errorReply(409, "BlobUsesCustomerSpecifiedEncryption"))
	bucket := engine.New(server.openDriver(t))

	_, err := bucket.Attrs(t.Context(), "a")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.InvalidArgument, e.Code)
	require.Contains(t, e.Hint, "WithCustomerKey")
}

// WithAccessTier sends the tier with each write.
func TestWithAccessTier(t *testing.T) {
	tests := []struct {
		name    string
		answers []reply
		do      func(bucket storage.Bucket) (*storage.Attrs, error)
	}{
		{
			name:    "a put",
			answers: []reply{created},
			do: func(bucket storage.Bucket) (*storage.Attrs, error) {
				return bucket.Upload(t.Context(), "a", strings.NewReader("x"),
					WithAccessTier(blob.AccessTierCold), storage.WithStorageClass("Cool"))
			},
		},
		{
			name:    "blocks",
			answers: []reply{created},
			do: func(bucket storage.Bucket) (*storage.Attrs, error) {
				return bucket.Upload(t.Context(), "a", strings.NewReader("twelve bytes"),
					WithAccessTier(blob.AccessTierCold), storage.WithPartSize(6))
			},
		},
		{
			name:    "a copy",
			answers: []reply{objectReply("hello"), accepted},
			do: func(bucket storage.Bucket) (*storage.Attrs, error) {
				return storage.Copy(t.Context(), bucket, "a", bucket, "from",
					WithAccessTier(blob.AccessTierCold))
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answers...)

			// The last request is the one that creates the object.
			attrs, err := tt.do(engine.New(server.openDriver(t)))
			require.NoError(t, err)
			require.Equal(t, "Cold", server.Last(t).Header.Get("X-Ms-Access-Tier"))
			require.Equal(t, "Cold", attrs.StorageClass)
		})
	}
}

// leaseConditions returns the condition that the blob is under the lease "lease".
func leaseConditions() *blob.LeaseAccessConditions {
	return &blob.LeaseAccessConditions{LeaseID: to.Ptr("lease")}
}

// leaseOptions sends a lease with each request that can have one.
var leaseOptions = Options{
	Upload: func(o *blockblob.UploadOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	CommitBlockList: func(o *blockblob.CommitBlockListOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	CopyFromURL: func(o *blob.CopyFromURLOptions) {
		o.BlobAccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	Delete: func(o *blob.DeleteOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	SetTags: func(o *blob.SetTagsOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	StageBlock: func(o *blockblob.StageBlockOptions) {
		o.LeaseAccessConditions = leaseConditions()
	},
	StageBlockFromURL: func(o *blockblob.StageBlockFromURLOptions) {
		o.LeaseAccessConditions = leaseConditions()
	},
	DownloadStream: func(o *blob.DownloadStreamOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	GetProperties: func(o *blob.GetPropertiesOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
	GetTags: func(o *blob.GetTagsOptions) {
		o.BlobAccessConditions = &blob.AccessConditions{LeaseAccessConditions: leaseConditions()}
	},
}

// optionOperations has an operation for each kind of request, with the field of Options that the request needs.
var optionOperations = map[string]struct {
	answers []reply
	do      func(t *testing.T, b storage.Bucket, o storage.NativeOption) error
	field   string           // name of the function in Options that the operation needs
	unset   func(o *Options) // removes that function
	other   int              // requests that are not the operation's own
}{
	"Upload": {
		answers: []reply{created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), o)
			return err
		},
		field: "Upload",
		unset: func(o *Options) {
			o.Upload = nil
		},
	},
	"Upload in blocks": {
		answers: []reply{created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("twelve bytes"), o,
				storage.WithPartSize(6))
			return err
		},
		field: "CommitBlockList",
		unset: func(o *Options) {
			o.CommitBlockList = nil
		},
	},
	"Copy": {
		answers: []reply{objectReply("hello"), accepted},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Copy(t.Context(), b, "a", b, "from", o)
			return err
		},
		field: "Upload",
		unset: func(o *Options) {
			o.CopyFromURL = nil
			o.Upload = nil
		},
		other: 1,
	},
	"Compose": {
		answers: []reply{objectReply("hello"), created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Compose(t.Context(), b, "a", []string{"from"}, o)
			return err
		},
		field: "Upload",
		unset: func(o *Options) {
			o.CommitBlockList = nil
			o.Upload = nil
		},
		other: 1,
	},
	"Remove": {
		answers: []reply{{Status: 202}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			return b.Remove(t.Context(), "a", o)
		},
		field: "Delete",
		unset: func(o *Options) {
			o.Delete = nil
		},
	},
	"SetTags": {
		answers: []reply{{Status: 204}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			return storage.SetTags(t.Context(), b, "a", nil, o)
		},
		field: "SetTags",
		unset: func(o *Options) {
			o.SetTags = nil
		},
	},
	"Tags": {
		answers: []reply{{Header: map[string]string{"Content-Type": "application/xml"}, Body: "<Tags><TagSet/></Tags>"}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Tags(t.Context(), b, "a", o)
			return err
		},
		field: "GetTags",
		unset: func(o *Options) {
			o.GetTags = nil
		},
	},
	"Attrs": {
		answers: []reply{objectReply("x")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Attrs(t.Context(), "a", o)
			return err
		},
		field: "GetProperties",
		unset: func(o *Options) {
			o.GetProperties = nil
		},
	},
	"Download": {
		answers: []reply{objectReply("x")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, _, err := storage.ReadAll(t.Context(), b, "a", o)
			return err
		},
		field: "DownloadStream",
		unset: func(o *Options) {
			o.DownloadStream = nil
		},
	},
	"Download of the end": {
		answers: []reply{objectReply("hello"), objectReply("lo", "Content-Range", "bytes 3-4/5")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, _, err := storage.ReadAll(t.Context(), b, "a", o, storage.WithRange(-2, -1))
			return err
		},
		field: "DownloadStream",
		unset: func(o *Options) {
			o.DownloadStream = nil
			o.GetProperties = nil
		},
	},
}

// Each function of WithOptions changes the requests for which it is meant.
func TestWithOptionsRequests(t *testing.T) {
	for name, row := range optionOperations {
		t.Run(name, func(t *testing.T) {
			server := newCannedServer(t, row.answers...)
			require.NoError(t, row.do(t, engine.New(server.openDriver(t)), WithOptions(leaseOptions)))
			for _, r := range server.Requests()[row.other:] {
				require.Equal(t, "lease", r.Header.Get("X-Ms-Lease-Id"), r.Line())
			}
		})
	}
}

// A call fails with Unsupported, and writes nothing, if Options lacks the function that its write
// needs.
func TestWithOptionsUnsupported(t *testing.T) {
	for name, operation := range optionOperations {
		t.Run(name, func(t *testing.T) {
			// leaseOptions has a function for each request. Remove the one that this operation needs.
			options := leaseOptions
			operation.unset(&options)

			server := newCannedServer(t, objectReply("hello"))
			bucket := engine.New(server.openDriver(t))
			err := operation.do(t, bucket, WithOptions(options))

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "Options."+operation.field)

			for _, line := range server.Lines() {
				require.Regexp(t, "^(HEAD|GET) ", line, "nothing may be written")
			}
		})
	}
}

// If a URL is signed with a customer's key, the client must send the key. It is in SignedURL.Header, but printing the
// SignedURL does not show it.
func TestSignedURLWithCustomerKey(t *testing.T) {
	bucket := engine.New(newSigner(t, Config{EncryptionScope: "account-wide"}))
	key := WithCustomerKey(decodeKey(t, firstKey))

	upload, err := bucket.SignedUploadURL(t.Context(), "a", key, WithAccessTier(blob.AccessTierCool))
	require.NoError(t, err)
	require.Equal(t, keyHeaders, encryptionHeaders(upload.Header))
	require.Equal(t, "Cool", upload.Header.Get("X-Ms-Access-Tier"))
	require.NotContains(t, upload.URL, "ses=", "the key must take the place of the scope")
	requireNoKey(t, fmt.Sprintf("%v %+v %#v", upload, *upload, *upload))

	download, err := bucket.SignedDownloadURL(t.Context(), "a", key)
	require.NoError(t, err)
	require.Equal(t, keyHeaders, encryptionHeaders(download.Header))
	require.NotContains(t, download.URL, "ses=")
}

// The signature of an upload contains the encryption scope of the call, or else that of Config.
func TestSignedUploadURLEncryptionScope(t *testing.T) {
	bucket := engine.New(newSigner(t, Config{EncryptionScope: "account-wide"}))
	tests := []struct {
		name string
		opts []storage.SignedUploadOption
		want string
	}{
		{name: "of Config", want: "account-wide"},
		{name: "of the call", opts: []storage.SignedUploadOption{WithEncryptionScope("tenant-1")}, want: "tenant-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := bucket.SignedUploadURL(t.Context(), "a", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.want, parsedQuery(t, signedURL.URL).Get("ses"))
			require.Empty(t, encryptionHeaders(signedURL.Header), "the scope must be in the signature")
		})
	}
}

// An old service cannot sign an upload with an encryption scope, but can sign a download, which
// needs none.
func TestSignedURLEncryptionScopeOfOldService(t *testing.T) {
	bucket := engine.New(newSigner(t, Config{APIVersion: "2019-07-07", EncryptionScope: "account-wide"}))

	_, err := bucket.SignedUploadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = bucket.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Minute))
	require.NoError(t, err)
}

// Signing with WithOptions is Unsupported, because a signed URL cannot express its functions.
func TestSignedURLWithOptions(t *testing.T) {
	bucket := engine.New(newSigner(t, Config{EncryptionScope: "account-wide"}))

	_, err := bucket.SignedUploadURL(t.Context(), "a", WithOptions(leaseOptions))
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = bucket.SignedDownloadURL(t.Context(), "a", WithOptions(leaseOptions))
	require.ErrorIs(t, err, storage.Unsupported)
}

// Each field of Options is a function that changes one type of the SDK's options. Options.change, which has a case for
// each type, calls the function of each field.
func TestOptionsChangeHasEveryField(t *testing.T) {
	for field := range reflect.TypeFor[Options]().Fields() {
		t.Run(field.Name, func(t *testing.T) {
			// Set this field to a function that records its argument.
			var options Options
			var changed any
			function := reflect.MakeFunc(field.Type, func(args []reflect.Value) []reflect.Value {
				changed = args[0].Interface()
				return nil
			})
			reflect.ValueOf(&options).Elem().FieldByIndex(field.Index).Set(function)

			// Options.change passes its argument, the SDK's options, to the function.
			sdkOptions := reflect.New(field.Type.In(0).Elem()).Interface()
			require.True(t, options.change(sdkOptions))
			require.Same(t, sdkOptions, changed)
		})
	}
}
