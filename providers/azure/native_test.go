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

// The keys and hashes are those of Ceph's s3-tests, whose hashes were computed again.
const (
	firstKey, firstKeyHash   = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", "tcbQ+aRkuPwjLhUs7yvwzwexw+bICUWoBcNpGMEmeZg="
	secondKey, secondKeyHash = "6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4=", "9T1+Ua3bFrjZmwCNdk+3oKXHnM8kjTwBJkYVxUwGXlc="
)

func keyBytes(t *testing.T, text string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return key
}

// encryptionOf returns the headers of a request that decide its encryption.
func encryptionOf(r http.Header) map[string]string {
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
	keyed        = map[string]string{"encryption-key": firstKey, "encryption-key-sha256": firstKeyHash, "encryption-algorithm": "AES256"}
	sourceKeyed  = map[string]string{"source-encryption-key": secondKey, "source-encryption-key-sha256": secondKeyHash, "source-encryption-algorithm": "AES256"}
	readKeyed    = map[string]string{"encryption-key": secondKey, "encryption-key-sha256": secondKeyHash, "encryption-algorithm": "AES256"}
	bothKeyed    = map[string]string{
		"encryption-key":               firstKey,
		"encryption-key-sha256":        firstKeyHash,
		"encryption-algorithm":         "AES256",
		"source-encryption-key":        secondKey,
		"source-encryption-key-sha256": secondKeyHash,
		"source-encryption-algorithm":  "AES256",
	}
)

// update changes the object's content and metadata.
func update(t *testing.T, b storage.Bucket, opts ...storage.UploadOption) error {
	t.Helper()
	_, err := storage.Update(t.Context(), b, "a", func(old []byte, attrs *storage.Attrs) ([]byte, error) {
		require.Equal(t, "hello", string(old))
		return append(old, '!'), nil
	}, append(opts, storage.WithMetadata(map[string]string{"k": "v"}))...)
	return err
}

func scoped(name string) map[string]string { return map[string]string{"encryption-scope": name} }

// Each request for the data of an object has the headers of the customer's key. Without such a key, each write has
// the encryption scope.
func TestWithCustomerKeyRequests(t *testing.T) {
	const long = "twelve bytes"
	key := WithCustomerKey(keyBytes(t, firstKey))
	source := WithSourceCustomerKey(keyBytes(t, secondKey))
	scope := WithEncryptionScope("tenant-1")
	object := anObject("hello")

	tests := map[string]struct {
		version string // Config.APIVersion
		config  string // Config.EncryptionScope
		answers []said
		do      func(b storage.Bucket) error
		want    []map[string]string
	}{
		"a put": {
			version: "",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), key)
				return err
			},
			want: []map[string]string{keyed},
		},
		"a put with a scope": {
			version: "",
			config:  "account-wide",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), scope)
				return err
			},
			want: []map[string]string{scoped("tenant-1")},
		},
		"a put with the container's scope": {
			version: "",
			config:  "account-wide",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
				return err
			},
			want: []map[string]string{scoped("account-wide")},
		},
		"a key in place of the container's scope": {
			version: "",
			config:  "account-wide",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), key)
				return err
			},
			want: []map[string]string{keyed},
		},
		"blocks": {
			version: "",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader(long), key, storage.WithPartSize(6))
				return err
			},
			want: []map[string]string{keyed, keyed, keyed},
		},
		"blocks with a scope": {
			version: "",
			config:  "account-wide",
			answers: []said{created},
			do: func(b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader(long), storage.WithPartSize(6))
				return err
			},
			want: []map[string]string{scoped("account-wide"), scoped("account-wide"), scoped("account-wide")},
		},
		"attributes": {
			version: "",
			config:  "account-wide",
			answers: []said{object},
			do: func(b storage.Bucket) error {
				_, err := b.Attrs(t.Context(), "a", key)
				return err
			},
			want: []map[string]string{keyed},
		},
		"a read": {
			version: "",
			config:  "account-wide",
			answers: []said{object},
			do: func(b storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), b, "a", key)
				return err
			},
			want: []map[string]string{keyed},
		},
		"a read of the end": {
			version: "",
			answers: []said{object, anObject("lo", "Content-Range", "bytes 3-4/5")},
			do: func(b storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), b, "a", key, storage.WithRange(-2, -1))
				return err
			},
			want: []map[string]string{keyed, keyed},
		},
		"a read without one": {
			version: "",
			config:  "account-wide",
			answers: []said{object},
			do: func(b storage.Bucket) error {
				_, _, err := storage.ReadAll(t.Context(), b, "a")
				return err
			},
			want: []map[string]string{noEncryption},
		},
		"an update": {
			version: "",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				return update(t, b, key)
			},
			want: []map[string]string{keyed, keyed},
		},
		"an update with a scope, which a read does not have": {
			version: "",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				return update(t, b, scope)
			},
			want: []map[string]string{noEncryption, scoped("tenant-1")},
		},
		"an update with a function of its write": {
			version: "",
			config:  "account-wide",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				return update(t, b, WithOptions(Options{Upload: func(o *blockblob.UploadOptions) {
					o.CPKScopeInfo.EncryptionScope = to.Ptr("mine")
				}}))
			},
			want: []map[string]string{noEncryption, scoped("mine")},
		},
		"a copy with a scope": {
			version: "",
			config:  "account-wide",
			answers: []said{object, accepted},
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "from")
				return err
			},
			want: []map[string]string{noEncryption, scoped("account-wide")},
		},
		"a copy with a scope, on an older service": {
			version: "2019-12-12",
			config:  "account-wide",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "from")
				return err
			},
			want: []map[string]string{noEncryption, scoped("account-wide"), scoped("account-wide")},
		},
		"a copy with a key, in blocks": {
			version: "",
			config:  "account-wide",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "from", key)
				return err
			},
			want: []map[string]string{noEncryption, keyed, keyed},
		},
		"a copy from one key to another": {
			version: "",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "from", key, source)
				return err
			},
			want: []map[string]string{readKeyed, bothKeyed, keyed},
		},
		"a copy from a key to none": {
			version: "",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "from", source)
				return err
			},
			want: []map[string]string{readKeyed, sourceKeyed, noEncryption},
		},
		"Compose": {
			version: "",
			answers: []said{object, created},
			do: func(b storage.Bucket) error {
				_, err := storage.Compose(t.Context(), b, "a", []string{"from"}, key, source)
				return err
			},
			want: []map[string]string{readKeyed, bothKeyed, keyed},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			require.NoError(t, tt.do(engine.New(s.driver(t, func(c *Config) {
				c.APIVersion = tt.version
				c.EncryptionScope = tt.config
			}))))
			var got []map[string]string
			for _, r := range s.server.Requests() {
				got = append(got, encryptionOf(r.Header))
			}
			require.Equal(t, tt.want, got, "%v", s.server.Lines())
		})
	}
}

// An invalid native option fails before a request.
func TestNativeOptionsInvalid(t *testing.T) {
	key := make([]byte, 32)
	tests := map[string]struct {
		opts     []storage.UploadOption
		endpoint string
		want     string
	}{
		"a short key":                 {[]storage.UploadOption{WithCustomerKey(key[:31])}, "", "WithCustomerKey must have 32 bytes"},
		"no key":                      {[]storage.UploadOption{WithCustomerKey(nil)}, "", "WithCustomerKey must have 32 bytes"},
		"a key without TLS":           {[]storage.UploadOption{WithCustomerKey(key)}, "http://files.example.com/acme", "WithCustomerKey needs an address with https"},
		"a key of Amazon":             {[]storage.UploadOption{WithEncryptionScope("arn:aws:kms:eu-west-1:1:key/2")}, "", "WithEncryptionScope must be"},
		"a key of Google":             {[]storage.UploadOption{WithEncryptionScope("projects/p/locations/l/keyRings/r/cryptoKeys/k")}, "", "WithEncryptionScope must be"},
		"an empty scope":              {[]storage.UploadOption{WithEncryptionScope("")}, "", "WithEncryptionScope must be"},
		"a scope of two signs":        {[]storage.UploadOption{WithEncryptionScope("ab")}, "", "WithEncryptionScope must be"},
		"a scope with two dashes":     {[]storage.UploadOption{WithEncryptionScope("a--b")}, "", "WithEncryptionScope must be"},
		"a scope with a line break":   {[]storage.UploadOption{WithEncryptionScope("abc\n")}, "", "WithEncryptionScope must be"},
		"a scope of 64":               {[]storage.UploadOption{WithEncryptionScope(strings.Repeat("a", 64))}, "", "WithEncryptionScope must be"},
		"a scope and a key":           {[]storage.UploadOption{WithEncryptionScope("abc"), WithCustomerKey(key)}, "", "must not be set together"},
		"an empty tier":               {[]storage.UploadOption{WithAccessTier("")}, "", "WithAccessTier must not be empty"},
		"a scope and a key in blocks": {[]storage.UploadOption{WithEncryptionScope("abc"), WithCustomerKey(key), storage.WithPartSize(1)}, "", "must not be set together"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t)
			d := s.driver(t, func(c *Config) {
				if tt.endpoint != "" {
					c.Endpoint = tt.endpoint
					c.Key = testKey
				}
			})
			_, err := engine.New(d).Upload(t.Context(), "a", strings.NewReader("hello"), tt.opts...)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.want)
			require.Empty(t, s.server.Requests())
		})
	}

	for _, c := range []Config{{EncryptionScope: "arn:aws:kms:1"}, {EncryptionScope: "abc", APIVersion: "2018-11-09"}} {
		c.Bucket = "photos"
		c.Account = testAccount
		c.Key = testKey
		_, err := NewDriver(t.Context(), c)
		require.ErrorContains(t, err, "Config.EncryptionScope")
		require.ErrorIs(t, err, storage.InvalidArgument)
	}

	s := newScript(t)
	old := engine.New(s.driver(t, func(c *Config) {
		c.APIVersion = "2018-11-09"
	}))
	for _, option := range []storage.UploadOption{WithEncryptionScope("abc"), WithCustomerKey(key)} {
		_, err := old.Upload(t.Context(), "a", strings.NewReader("x"), option)
		require.ErrorIs(t, err, storage.Unsupported, "an older service would ignore it")
	}
	require.Empty(t, s.server.Requests())

	_, err := engine.New(newScript(t).driver(t)).Attrs(t.Context(), "a", storage.WithNative(provider, "text"))
	require.ErrorIs(t, err, storage.Unsupported)
}

// requireSecret requires that text shows no part of a customer's key.
func requireSecret(t *testing.T, text string) {
	t.Helper()
	key := keyBytes(t, firstKey)
	for _, secret := range []string{firstKey, firstKey[:12], fmt.Sprintf("%x", key), fmt.Sprint(key), fmt.Sprintf("%q", key), string(key)} {
		require.NotContains(t, text, secret)
	}
}

// A customer key is never shown.
func TestWithCustomerKeyIsNotPrinted(t *testing.T) {
	key := keyBytes(t, firstKey)
	value := customerkey.New("WithCustomerKey", key)
	option := WithCustomerKey(key)
	source := WithSourceCustomerKey(key)
	r := &driver.PutRequest{Key: "a"}
	r.Native = []any{value}

	for _, printed := range []any{value, &value, option, source, r, *r, []any{value}, map[string]any{"k": value}, struct{ k *customerkey.Key }{value}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			requireSecret(t, fmt.Sprintf(verb, printed))
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var log bytes.Buffer
			slog.New(handler(&log)).Info("option", "value", printed)
			requireSecret(t, log.String())
		}
		text, _ := json.Marshal(printed) // what cannot be marshaled shows nothing
		requireSecret(t, string(text))
	}
	require.NotEqual(t, customerkey.New("WithCustomerKey", keyBytes(t, secondKey)).Fingerprint(), value.Fingerprint())
	requireSecret(t, value.Fingerprint())
}

// A customer's key appears in no error and in no file of WithResume.
func TestWithCustomerKeyInNoJournal(t *testing.T) {
	option := WithCustomerKey(keyBytes(t, firstKey))
	for _, answer := range []said{refusing(409, "BlobUsesCustomerSpecifiedEncryption"), refusing(500, "InternalError"), {Cut: true}, {Status: 403}} {
		b := engine.New(newScript(t, answer).driver(t), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		_, upload := b.Upload(t.Context(), "a", strings.NewReader("x"), option)
		_, attrs := b.Attrs(t.Context(), "a", option)
		_, download := b.Download(t.Context(), "a", option)
		for _, err := range []error{upload, attrs, download} {
			require.Error(t, err)
			for ; err != nil; err = errors.Unwrap(err) {
				requireSecret(t, fmt.Sprintf("%v %+v", err, err))
			}
		}
	}

	journal := filepath.Join(t.TempDir(), "journal")
	s := newScript(t, created, refusing(403, "AuthorizationFailure"))
	_, err := engine.New(s.driver(t)).Upload(t.Context(), "a", strings.NewReader("twelve bytes"), option,
		storage.WithPartSize(6), storage.WithConcurrency(1), storage.WithResume(journal))
	require.ErrorIs(t, err, storage.PermissionDenied)

	text, err := os.ReadFile(journal)
	require.NoError(t, err)
	requireSecret(t, string(text))
}

// WithResume continues an upload only with the same customer's key.
func TestWithResumeNeedsSameCustomerKey(t *testing.T) {
	tests := map[string]struct {
		key  string
		want int // blocks that the second process sends
	}{
		"the same": {firstKey, 1},
		"another":  {secondKey, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			journal := filepath.Join(t.TempDir(), "journal")
			upload := func(s *script, key string) error {
				_, err := engine.New(s.driver(t, func(c *Config) {
					c.Endpoint = "http://127.0.0.1:1/" + emulatorAccount
					c.HTTPClient = to.Ptr(http.Client{Transport: redirectTo(s.server.URL)})
				})).
					Upload(t.Context(), "a", strings.NewReader("twelve bytes"), WithCustomerKey(keyBytes(t, key)),
						storage.WithPartSize(6), storage.WithConcurrency(1), storage.WithResume(journal))
				return err
			}
			require.Error(t, upload(newScript(t, created, refusing(403, "AuthorizationFailure")), firstKey))

			s := newScript(t, created)
			require.NoError(t, upload(s, tt.key))
			require.Len(t, s.server.Requests(), tt.want+1)
		})
	}
}

// redirectTo sends every request to the server at address, so that two servers are one store.
type redirectTo string

func (address redirectTo) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = strings.TrimPrefix(string(address), "http://")
	transport := &http.Transport{DisableKeepAlives: true}
	return transport.RoundTrip(r)
}

// The error of a read without the customer's key says how to read the object.
func TestWithCustomerKeyHint(t *testing.T) {
	b := engine.New(newScript(t, refusing(409, "BlobUsesCustomerSpecifiedEncryption")).driver(t))
	_, err := b.Attrs(t.Context(), "a")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.InvalidArgument, e.Code)
	require.Contains(t, e.Hint, "WithCustomerKey")
}

// WithAccessTier is sent with each write.
func TestWithAccessTier(t *testing.T) {
	tests := map[string]struct {
		answers []said
		do      func(b storage.Bucket) (*storage.Attrs, error)
	}{
		"a put": {[]said{created}, func(b storage.Bucket) (*storage.Attrs, error) {
			return b.Upload(t.Context(), "a", strings.NewReader("x"), WithAccessTier(blob.AccessTierCold), storage.WithStorageClass("Cool"))
		}},
		"blocks": {[]said{created}, func(b storage.Bucket) (*storage.Attrs, error) {
			return b.Upload(t.Context(), "a", strings.NewReader("twelve bytes"), WithAccessTier(blob.AccessTierCold), storage.WithPartSize(6))
		}},
		"a copy": {[]said{anObject("hello"), accepted}, func(b storage.Bucket) (*storage.Attrs, error) {
			return storage.Copy(t.Context(), b, "a", b, "from", WithAccessTier(blob.AccessTierCold))
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			attrs, err := tt.do(engine.New(s.driver(t)))
			require.NoError(t, err)
			require.Equal(t, "Cold", s.server.Last(t).Header.Get("X-Ms-Access-Tier"))
			require.Equal(t, "Cold", attrs.StorageClass)
		})
	}
}

func leased() *blob.LeaseAccessConditions {
	return &blob.LeaseAccessConditions{LeaseID: to.Ptr("lease")}
}

// allOptions sends a lease with each request that can have one.
var allOptions = Options{
	Upload: func(o *blockblob.UploadOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	CommitBlockList: func(o *blockblob.CommitBlockListOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	CopyFromURL: func(o *blob.CopyFromURLOptions) {
		o.BlobAccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	Delete: func(o *blob.DeleteOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	SetTags: func(o *blob.SetTagsOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	StageBlock: func(o *blockblob.StageBlockOptions) {
		o.LeaseAccessConditions = leased()
	},
	StageBlockFromURL: func(o *blockblob.StageBlockFromURLOptions) {
		o.LeaseAccessConditions = leased()
	},
	DownloadStream: func(o *blob.DownloadStreamOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	GetProperties: func(o *blob.GetPropertiesOptions) {
		o.AccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
	GetTags: func(o *blob.GetTagsOptions) {
		o.BlobAccessConditions = &blob.AccessConditions{LeaseAccessConditions: leased()}
	},
}

// changedBy has an operation for each request, with the field of Options that it needs.
var changedBy = map[string]struct {
	answers []said
	do      func(t *testing.T, b storage.Bucket, o storage.NativeOption) error
	field   string
	without func(o *Options)
	other   int // requests that are not the operation's own
}{
	"Upload": {
		answers: []said{created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), o)
			return err
		},
		field: "Upload",
		without: func(o *Options) {
			o.Upload = nil
		},
	},
	"Upload in blocks": {
		answers: []said{created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("twelve bytes"), o, storage.WithPartSize(6))
			return err
		},
		field: "CommitBlockList",
		without: func(o *Options) {
			o.CommitBlockList = nil
		},
	},
	"Copy": {
		answers: []said{anObject("hello"), accepted},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Copy(t.Context(), b, "a", b, "from", o)
			return err
		},
		field: "Upload",
		without: func(o *Options) {
			o.CopyFromURL = nil
			o.Upload = nil
		},
		other: 1,
	},
	"Compose": {
		answers: []said{anObject("hello"), created},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Compose(t.Context(), b, "a", []string{"from"}, o)
			return err
		},
		field: "Upload",
		without: func(o *Options) {
			o.CommitBlockList = nil
			o.Upload = nil
		},
		other: 1,
	},
	"Remove": {
		answers: []said{{Status: 202}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			return b.Remove(t.Context(), "a", o)
		},
		field: "Delete",
		without: func(o *Options) {
			o.Delete = nil
		},
	},
	"SetTags": {
		answers: []said{{Status: 204}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			return storage.SetTags(t.Context(), b, "a", nil, o)
		},
		field: "SetTags",
		without: func(o *Options) {
			o.SetTags = nil
		},
	},
	"Tags": {
		answers: []said{{Header: map[string]string{"Content-Type": "application/xml"}, Body: "<Tags><TagSet/></Tags>"}},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := storage.Tags(t.Context(), b, "a", o)
			return err
		},
		field: "GetTags",
		without: func(o *Options) {
			o.GetTags = nil
		},
	},
	"Attrs": {
		answers: []said{anObject("x")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, err := b.Attrs(t.Context(), "a", o)
			return err
		},
		field: "GetProperties",
		without: func(o *Options) {
			o.GetProperties = nil
		},
	},
	"Download": {
		answers: []said{anObject("x")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, _, err := storage.ReadAll(t.Context(), b, "a", o)
			return err
		},
		field: "DownloadStream",
		without: func(o *Options) {
			o.DownloadStream = nil
		},
	},
	"Download of the end": {
		answers: []said{anObject("hello"), anObject("lo", "Content-Range", "bytes 3-4/5")},
		do: func(t *testing.T, b storage.Bucket, o storage.NativeOption) error {
			_, _, err := storage.ReadAll(t.Context(), b, "a", o, storage.WithRange(-2, -1))
			return err
		},
		field: "DownloadStream",
		without: func(o *Options) {
			o.DownloadStream = nil
			o.GetProperties = nil
		},
	},
}

// Each function of WithOptions changes its requests.
func TestWithOptionsRequests(t *testing.T) {
	for name, row := range changedBy {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, row.answers...)
			require.NoError(t, row.do(t, engine.New(s.driver(t)), WithOptions(allOptions)))
			for _, r := range s.server.Requests()[row.other:] {
				require.Equal(t, "lease", r.Header.Get("X-Ms-Lease-Id"), r.Line())
			}
		})
	}
}

// If a function that the write needs is missing in Options, the call fails with Unsupported and writes nothing.
func TestWithOptionsUnsupported(t *testing.T) {
	for name, row := range changedBy {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject("hello"))
			options := allOptions
			row.without(&options)
			err := row.do(t, engine.New(s.driver(t)), WithOptions(options))

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "Options."+row.field)

			for _, line := range s.server.Lines() {
				require.Regexp(t, "^(HEAD|GET) ", line, "nothing is written")
			}
		})
	}
}

// Signed URLs carry native options.
func TestSignedURLNativeOptions(t *testing.T) {
	b := engine.New(newSigner(t, Config{EncryptionScope: "account-wide"}))
	key := WithCustomerKey(keyBytes(t, firstKey))

	signedURL, err := b.SignedUploadURL(t.Context(), "a", key, WithAccessTier(blob.AccessTierCool))
	require.NoError(t, err)
	require.Equal(t, keyed, encryptionOf(signedURL.Header))
	require.Equal(t, "Cool", signedURL.Header.Get("X-Ms-Access-Tier"))
	require.NotContains(t, signedURL.URL, "ses=")
	requireSecret(t, fmt.Sprintf("%v %+v %#v", signedURL, *signedURL, *signedURL))

	for want, opts := range map[string][]storage.SignedUploadOption{"account-wide": nil, "tenant-1": {WithEncryptionScope("tenant-1")}} {
		signedURL, err = b.SignedUploadURL(t.Context(), "a", opts...)
		require.NoError(t, err)
		_, query, _ := strings.Cut(signedURL.URL, "?")
		require.Equal(t, want, parsedQuery(t, query).Get("ses"))
		require.Empty(t, encryptionOf(signedURL.Header), "the signature is bound to it")
	}

	download, err := b.SignedDownloadURL(t.Context(), "a", key)
	require.NoError(t, err)
	require.Equal(t, keyed, encryptionOf(download.Header))
	require.NotContains(t, download.URL, "ses=")

	_, err = b.SignedUploadURL(t.Context(), "a", WithOptions(allOptions))
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = b.SignedDownloadURL(t.Context(), "a", WithOptions(allOptions))
	require.ErrorIs(t, err, storage.Unsupported)

	older := engine.New(newSigner(t, Config{APIVersion: "2019-07-07", EncryptionScope: "account-wide"}))
	_, err = older.SignedUploadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported, "an older signature has no scope")

	_, err = older.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Minute))
	require.NoError(t, err)
}
