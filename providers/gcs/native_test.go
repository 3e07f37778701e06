package gcs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

const (
	kmsKey   = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
	otherKMS = "projects/example.com:p/locations/eu/keyRings/r-1/cryptoKeys/other_2"

	// A key with the SHA-256 that ceph/s3-tests has for it.
	keyText, keySum = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", "tcbQ+aRkuPwjLhUs7yvwzwexw+bICUWoBcNpGMEmeZg="
	sourceKeyText   = "6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4="
	sourceKeySum    = "9T1+Ua3bFrjZmwCNdk+3oKXHnM8kjTwBJkYVxUwGXlc="
)

func keyOf(t testing.TB, text string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return key
}

// accepted is the response to a write without checksums.
var accepted = reply{Header: stored.Header, Body: `{"generation":"1700000000000001","metageneration":"1","etag":"CAE=","size":"11","timeCreated":"2026-01-02T03:04:05.678Z"}`}

// newAnswerer starts a server that accepts every request.
func newAnswerer(t *testing.T) *standIn {
	t.Helper()
	server := newStandIn(t)
	server.server.Answer = func(r wiretest.Request) reply {
		switch {
		case strings.Contains(r.Path, "/rewriteTo/"):
			return reply{Header: stored.Header, Body: `{"kind":"storage#rewriteResponse","done":true,"resource":` + accepted.Body + `}`}
		case strings.HasSuffix(r.Path, "/compose"):
			var request struct{ Destination struct{ CRC32C string } }
			require.NoError(t, json.Unmarshal([]byte(r.Body), &request))
			return reply{Header: stored.Header, Body: strings.TrimSuffix(accepted.Body, "}") + `,"crc32c":"` + request.Destination.CRC32C + `"}`}
		case r.Query().Get("uploadType") == "resumable":
			return reply{Header: map[string]string{"Location": server.server.URL + "/upload/storage/v1/b/photos/o?upload_id=s"}}
		case r.Method == http.MethodPut && strings.HasSuffix(r.Header.Get("Content-Range"), "/*"):
			var start, end int64
			_, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/", &start, &end)
			require.NoError(t, err)
			return resumeHere(end + 1)
		case r.Method == http.MethodDelete:
			return reply{Status: http.StatusNoContent}
		case r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/photos/"):
			return reply{Header: map[string]string{"X-Goog-Generation": "1700000000000001", "X-Goog-Hash": "crc32c=yZRlqg=="}, Body: "hello world"}
		}
		return accepted
	}
	return server
}

func (w *standIn) bucket(t *testing.T, change ...func(*Config)) storage.Bucket {
	t.Helper()
	return engine.New(w.on(t, change...), storage.WithVersioning(true))
}

// callEveryOperation makes each operation on an object once, with an option.
func callEveryOperation(t *testing.T, b storage.Bucket, o storage.NativeOption) {
	t.Helper()
	ctx := t.Context()
	steps := []func() error{
		func() error {
			_, err := b.Upload(ctx, "a", strings.NewReader("hello world"), o)
			return err
		},
		func() error {
			_, err := b.Upload(ctx, "a", strings.NewReader(strings.Repeat("x", 600<<10)), storage.WithPartSize(256<<10), o)
			return err
		},
		func() error {
			_, err := b.Attrs(ctx, "a", o)
			return err
		},
		func() error {
			r, err := b.Download(ctx, "a", o)
			if err == nil {
				err = r.Close()
			}
			return err
		},
		func() error {
			_, err := storage.Copy(ctx, b, "c", b, "a", o)
			return err
		},
		func() error {
			_, err := storage.Compose(ctx, b, "c", []string{"a", "b"}, o)
			return err
		},
		func() error { return storage.SetTags(ctx, b, "a", map[string]string{"k": "v"}, o) },
		func() error { return storage.SetLegalHold(ctx, b, "a", true, o) },
		func() error { return b.Remove(ctx, "a", o) },
	}
	for i, step := range steps {
		require.NoError(t, step(), "step %d", i)
	}
}

// The customer's key is sent with each request for which Google requires it.
func TestWithCustomerKeyRequests(t *testing.T) {
	server := newAnswerer(t)
	b := server.bucket(t)
	callEveryOperation(t, b, WithCustomerKey(keyOf(t, keyText)))
	downloads := 0

	for _, r := range server.server.Requests() {
		name := r.Call() + " " + r.Header.Get("Content-Range")
		if r.Call() == "GET /photos/a" && r.Header.Get("X-Goog-Encryption-Key") == keyText {
			downloads++
		}
		switch {
		case r.Query().Has("upload_id") || r.Method == http.MethodDelete:
			require.Empty(t, r.Header.Get("X-Goog-Encryption-Key"), name)
		case r.Method == http.MethodGet && r.Header.Get("X-Goog-Encryption-Key") == "": // of a source
			require.Contains(t, []string{"/storage/v1/b/photos/o/a", "/storage/v1/b/photos/o/b", "/photos/a", "/photos/b"}, r.Path)
		default:
			require.Equal(t, "AES256", r.Header.Get("X-Goog-Encryption-Algorithm"), name)
			require.Equal(t, keyText, r.Header.Get("X-Goog-Encryption-Key"), name)
			require.Equal(t, keySum, r.Header.Get("X-Goog-Encryption-Key-Sha256"), name)
		}
	}
	require.Equal(t, 1, downloads)
}

// WithSourceCustomerKey sends the key of the source with copies.
func TestWithSourceCustomerKeyRequests(t *testing.T) {
	server := newAnswerer(t)
	b := server.bucket(t, func(c *Config) {
		c.KMSKey = kmsKey
	})
	_, err := storage.Copy(t.Context(), b, "c", b, "a", WithSourceCustomerKey(keyOf(t, sourceKeyText)))
	require.NoError(t, err)
	head := server.server.Requests()[0]

	request := server.server.Last(t)
	require.Equal(t, sourceKeyText, head.Header.Get("X-Goog-Encryption-Key"))
	require.Equal(t, "AES256", request.Header.Get("X-Goog-Copy-Source-Encryption-Algorithm"))
	require.Equal(t, sourceKeyText, request.Header.Get("X-Goog-Copy-Source-Encryption-Key"))
	require.Equal(t, sourceKeySum, request.Header.Get("X-Goog-Copy-Source-Encryption-Key-Sha256"))
	require.Empty(t, request.Header.Get("X-Goog-Encryption-Key"))
	require.Equal(t, kmsKey, request.Query().Get("destinationKmsKeyName"))
}

// Config.KMSKey is sent with each write.
func TestConfigKMSKeyRequests(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		opts   []storage.WriteOption
		want   string
	}{
		{name: "of the bucket", config: Config{KMSKey: kmsKey}, want: kmsKey},
		{name: "of the bucket, in components", config: Config{KMSKey: kmsKey, ParallelComposite: true}, want: kmsKey},
		{name: "of one write", config: Config{KMSKey: kmsKey}, opts: []storage.WriteOption{WithKMSKey(otherKMS)}, want: otherKMS},
		{
			name:   "of one write, in components",
			config: Config{ParallelComposite: true},
			opts:   []storage.WriteOption{WithKMSKey(otherKMS)},
			want:   otherKMS,
		},
		{
			name:   "none, for a customer's key",
			config: Config{KMSKey: kmsKey},
			opts:   []storage.WriteOption{WithCustomerKey(keyOf(t, keyText))},
			want:   "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newAnswerer(t)
			b := server.bucket(t, func(c *Config) {
				c.KMSKey = tt.config.KMSKey
				c.ParallelComposite = tt.config.ParallelComposite
			})
			var upload []storage.UploadOption
			var opts []storage.CopyOption
			for _, o := range tt.opts {
				upload = append(upload, o)
				opts = append(opts, o)
			}
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), upload...)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("x", 600<<10)), append(upload, storage.WithPartSize(256<<10))...)
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "c", b, "a", opts...)
			require.NoError(t, err)
			if tt.want != "" {
				_, err = storage.Compose(t.Context(), b, "c", []string{"a", "b"}, opts...)
				require.NoError(t, err)
			}

			for _, r := range server.server.Requests() {
				q := r.Query()
				if r.Method != http.MethodPost {
					require.Empty(t, q.Get("kmsKeyName"))
					continue
				}
				require.Equal(t, tt.want, q.Get("kmsKeyName")+q.Get("destinationKmsKeyName"), r.Call())
			}
		})
	}
}

// Config.UserProject is sent with each request.
func TestConfigUserProjectRequests(t *testing.T) {
	server := newAnswerer(t)
	b := server.bucket(t, func(c *Config) {
		c.UserProject = "payer-1"
	})
	callEveryOperation(t, b, WithHeader("X-Goog-Custom-Audit-job", "nightly"))
	for _, err := range b.List(t.Context()) {
		require.NoError(t, err)
	}
	for _, err := range storage.Versions(t.Context(), b) {
		require.NoError(t, err)
	}

	for _, r := range server.server.Requests() {
		if strings.HasPrefix(r.Path, "/photos/") || r.Query().Has("upload_id") {
			require.Equal(t, "payer-1", r.Header.Get(userProjectHeader), r.Call())
		} else {
			require.Equal(t, []string{"payer-1"}, r.Query()["userProject"], r.Call())
		}
		if !strings.HasSuffix(r.Path, "/o") || r.Method != http.MethodGet {
			audited := r.Header.Get("X-Goog-Custom-Audit-Job") == "nightly"
			source := r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/storage/v1/b/photos/o/")
			require.True(t, audited || source, r.Call())
		}
	}
}

// The native options of an upload are sent with its request.
func TestUploadNativeOptions(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	opts := []storage.WriteOption{
		WithCustomTime(when), WithEventBasedHold(), WithPredefinedACL("bucketOwnerRead"), storage.WithTags(map[string]string{"k": "v", "two": "a b"}),
		WithAttrs(func(a *gcs.ObjectAttrs) {
			a.ACL = []gcs.ACLRule{{Entity: "user-a@example.com", Role: gcs.RoleReader}}
			a.Metadata["own"] = a.CustomTime.Format(time.RFC3339)
			a.Name = "elsewhere"
			a.Bucket = "elsewhere"
		}),
	}
	want := map[string]any{
		"customTime":     "2026-03-04T04:06:07Z",
		"eventBasedHold": true,
		"acl":            []any{map[string]any{"entity": "user-a@example.com", "role": "READER"}},
		"metadata":       map[string]any{"own": "2026-03-04T04:06:07Z"},
		"contexts":       map[string]any{"custom": map[string]any{"k": map[string]any{"value": "v"}, "two": map[string]any{"value": "a b"}}},
	}
	var upload []storage.UploadOption
	var copyOpts []storage.CopyOption
	for _, o := range opts {
		upload = append(upload, o)
		copyOpts = append(copyOpts, o)
	}

	tests := map[string]struct {
		run      func(t *testing.T, b storage.Bucket) error
		document func(t *testing.T, r wiretest.Request) map[string]any
		acl      string
	}{
		"Put": {
			func(t *testing.T, b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), upload...)
				return err
			},
			func(t *testing.T, r wiretest.Request) map[string]any {
				o, _, _ := related(t, r)
				return o
			}, "predefinedAcl",
		},
		"BeginParts": {
			func(t *testing.T, b storage.Bucket) error {
				_, err := b.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("x", 600<<10)), append(upload, storage.WithPartSize(256<<10))...)
				return err
			},
			document, "predefinedAcl",
		},
		"Copy": {
			func(t *testing.T, b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "a", b, "b", copyOpts...)
				return err
			},
			document, "destinationPredefinedAcl",
		},
		"Compose": {
			func(t *testing.T, b storage.Bucket) error {
				_, err := storage.Compose(t.Context(), b, "a", []string{"b", "c"}, copyOpts...)
				return err
			},
			func(t *testing.T, r wiretest.Request) map[string]any {
				return document(t, r)["destination"].(map[string]any)
			}, "destinationPredefinedAcl",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newAnswerer(t)
			require.NoError(t, tt.run(t, server.bucket(t)))
			for _, r := range server.server.Requests() {
				if r.Method != http.MethodPost {
					continue
				}
				got := tt.document(t, r)
				for field, value := range want {
					if all, ok := got[field].(map[string]any); ok {
						delete(all, "omnibucketwriteid")
					}
					require.Equal(t, value, got[field], field)
				}
				require.Contains(t, []any{nil, "a"}, got["name"])
				require.Equal(t, "bucketOwnerRead", r.Query().Get(tt.acl))
			}
		})
	}
}

func document(t *testing.T, r wiretest.Request) (d map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.Body), &d))
	return d
}

// WithParameter adds its parameter to the request.
func TestWithParameterAdded(t *testing.T) {
	server := newAnswerer(t)
	b := server.bucket(t)
	require.NoError(t, b.Remove(t.Context(), "a", WithParameter("ifMetagenerationMatch", "7")))

	require.Equal(t, "7", server.server.Last(t).Query().Get("ifMetagenerationMatch"))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), WithParameter("ifMetagenerationMatch", "7"), WithParameter("x", "a&b"))
	require.NoError(t, err)
	require.Equal(t, []string{"a&b"}, server.server.Last(t).Query()["x"])
	require.Equal(t, "multipart", server.server.Last(t).Query().Get("uploadType"))
}

// An invalid native option fails before a request is sent.
func TestNativeOptionsRefused(t *testing.T) {
	server := newAnswerer(t)
	b := server.bucket(t)

	tests := map[string]struct {
		option storage.UploadOption
		code   storage.Code
	}{
		"a short key":                     {WithCustomerKey(make([]byte, 31)), storage.InvalidArgument},
		"a long key":                      {WithCustomerKey(make([]byte, 33)), storage.InvalidArgument},
		"no key":                          {WithCustomerKey(nil), storage.InvalidArgument},
		"a KMS key of Amazon's":           {WithKMSKey("arn:aws:kms:eu-west-1:111122223333:key/1234"), storage.InvalidArgument},
		"a version of a KMS key":          {WithKMSKey(kmsKey + "/cryptoKeyVersions/1"), storage.InvalidArgument},
		"no KMS key":                      {WithKMSKey(""), storage.InvalidArgument},
		"no time":                         {WithCustomTime(time.Time{}), storage.InvalidArgument},
		"an unknown list":                 {WithPredefinedACL("public-read"), storage.InvalidArgument},
		"no function":                     {WithAttrs(nil), storage.InvalidArgument},
		"a header of the driver":          {WithHeader("authorization", "Bearer x"), storage.InvalidArgument},
		"no header":                       {WithHeader("", "x"), storage.InvalidArgument},
		"a header with another header":    {WithHeader("X-A", "b\r\nX-B: c"), storage.InvalidArgument},
		"a parameter of the driver":       {WithParameter("generation", "1"), storage.InvalidArgument},
		"a parameter of a signature":      {WithParameter("X-Goog-Signature", "1"), storage.InvalidArgument},
		"a parameter with another one":    {WithParameter("a=b&c", "1"), storage.InvalidArgument},
		"an unknown value":                {storage.WithNative(provider, 1), storage.Unsupported},
		"an option of another provider's": {storage.WithNative("s3", 1), storage.Unsupported},
	}
	for name, tt := range tests {
		_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), tt.option)
		require.Equal(t, tt.code, storage.CodeOf(err), "%s: %v", name, err)
	}

	for name, opts := range map[string][]storage.UploadOption{
		"two keys":  {WithCustomerKey(make([]byte, 32)), WithKMSKey(kmsKey)},
		"two lists": {WithPredefinedACL("private"), storage.WithPublicRead()},
	} {
		_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), opts...)
		require.Contains(t, []storage.Code{storage.InvalidArgument, storage.Unsupported}, storage.CodeOf(err), "%s: %v", name, err)
	}

	withMD5 := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.MD5 = make([]byte, 16)
	})
	composite := server.bucket(t, func(c *Config) {
		c.ParallelComposite = true
	})
	_, err := composite.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("x", 600<<10)), storage.WithPartSize(256<<10), withMD5)
	require.ErrorIs(t, err, storage.Unsupported, "nothing would check it")

	_, err = server.on(t).Copy(t.Context(), &driver.CopyRequest{Key: "a", Source: source(), Native: nativesOf(withMD5)})
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, server.server.Calls())

	for _, c := range []Config{{Bucket: "photos", KMSKey: "alias/key"}, {Bucket: "photos", UserProject: "a b"}} {
		_, err := NewDriver(t.Context(), c)
		require.ErrorIs(t, err, storage.InvalidArgument)
	}
}

// nativesOf returns the value that a driver gets for an option.
func nativesOf(o storage.UploadOption) []any {
	c := &captured{}
	_, _ = engine.New(c).Upload(context.Background(), "a", strings.NewReader("x"), o)
	return c.natives
}

// A captured driver keeps the native values of a Put.
type captured struct {
	driver.Driver
	natives []any
}

func (*captured) Describe() driver.Description {
	return driver.Description{Provider: provider, Features: storage.OrderedListing, CheckNative: func(any) error { return nil }}
}

func (c *captured) Put(_ context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	c.natives = r.Native
	return &storage.Attrs{}, nil
}
