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

	// keyText is a key, and keySum is the SHA-256 that ceph/s3-tests has for it.
	keyText, keySum = "pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", "tcbQ+aRkuPwjLhUs7yvwzwexw+bICUWoBcNpGMEmeZg="
	sourceKeyText   = "6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4="
	sourceKeySum    = "9T1+Ua3bFrjZmwCNdk+3oKXHnM8kjTwBJkYVxUwGXlc="
)

// decodeKey decodes a customer's key from base64.
func decodeKey(t testing.TB, text string) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return key
}

// accepted is the response to a write without checksums.
var accepted = reply{
	Header: storedReply.Header,
	Body:   `{"generation":"1700000000000001","metageneration":"1","etag":"CAE=","size":"11","timeCreated":"2026-01-02T03:04:05.678Z"}`,
}

// newAcceptingServer starts a server that accepts every request. Its responses have what the driver requires of each
// kind of response.
func newAcceptingServer(t *testing.T) *cannedServer {
	t.Helper()
	server := newCannedServer(t)
	server.Answer = func(r wiretest.Request) reply {
		switch {
		case strings.Contains(r.Path, "/rewriteTo/"):
			return reply{
				Header: storedReply.Header,
				Body:   `{"kind":"storage#rewriteResponse","done":true,"resource":` + accepted.Body + `}`,
			}
		case strings.HasSuffix(r.Path, "/compose"):
			var request struct{ Destination struct{ CRC32C string } }
			require.NoError(t, json.Unmarshal([]byte(r.Body), &request))
			return reply{
				Header: storedReply.Header,
				Body:   strings.TrimSuffix(accepted.Body, "}") + `,"crc32c":"` + request.Destination.CRC32C + `"}`,
			}
		case r.Query().Get("uploadType") == "resumable": // the begin of a session
			return reply{Header: map[string]string{"Location": server.URL + "/upload/storage/v1/b/photos/o?upload_id=s"}}
		case r.Method == http.MethodPut && strings.HasSuffix(r.Header.Get("Content-Range"), "/*"): // not the last chunk
			var start, end int64
			_, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/", &start, &end)
			require.NoError(t, err)
			return resumeReply(end + 1)
		case r.Method == http.MethodDelete:
			return reply{Status: http.StatusNoContent}
		case r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/photos/"): // a read by the XML API
			return reply{
				Header: map[string]string{
					"X-Goog-Generation": "1700000000000001",
					"X-Goog-Hash":       "crc32c=yZRlqg==",
				},
				Body: "hello world",
			}
		}
		return accepted
	}
	return server
}

// openBucket opens the bucket "photos" at the server.
func (s *cannedServer) openBucket(t *testing.T, change ...func(*Config)) storage.Bucket {
	t.Helper()
	return engine.New(s.openDriver(t, change...), storage.WithVersioning(true))
}

// callEveryOperation makes each operation on an object once, with the option o. Only the upload is
// made twice: in one request and in parts.
func callEveryOperation(t *testing.T, bucket storage.Bucket, o storage.NativeOption) {
	t.Helper()
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("hello world"), o)
	require.NoError(t, err)
	threeParts := strings.NewReader(strings.Repeat("x", 600<<10))
	_, err = bucket.Upload(t.Context(), "a", threeParts, storage.WithPartSize(256<<10), o)
	require.NoError(t, err)

	_, err = bucket.Attrs(t.Context(), "a", o)
	require.NoError(t, err)
	download, err := bucket.Download(t.Context(), "a", o)
	require.NoError(t, err)
	require.NoError(t, download.Close())

	_, err = storage.Copy(t.Context(), bucket, "c", bucket, "a", o)
	require.NoError(t, err)
	_, err = storage.Compose(t.Context(), bucket, "c", []string{"a", "b"}, o)
	require.NoError(t, err)

	require.NoError(t, storage.SetTags(t.Context(), bucket, "a", map[string]string{"k": "v"}, o))
	require.NoError(t, storage.SetLegalHold(t.Context(), bucket, "a", true, o))
	require.NoError(t, bucket.Remove(t.Context(), "a", o))
}

// The customer's key is sent with each request for which Google requires it. These are all requests
// except removals, later requests of an upload session, and reads of a source. The key of a source
// is another option.
func TestWithCustomerKeyRequests(t *testing.T) {
	server := newAcceptingServer(t)
	bucket := server.openBucket(t)
	sources := []string{"/storage/v1/b/photos/o/a", "/storage/v1/b/photos/o/b", "/photos/a", "/photos/b"}

	callEveryOperation(t, bucket, WithCustomerKey(decodeKey(t, keyText)))

	downloadsWithKey := 0
	for _, r := range server.Requests() {
		name := r.Call() + " " + r.Header.Get("Content-Range")
		key := r.Header.Get("X-Goog-Encryption-Key")
		isOfSession := r.Query().Has("upload_id")

		// Reads of a source are GETs, as other reads are. Only the sources may be read without the key.
		isSourceRead := r.Method == http.MethodGet && key == ""

		switch {
		case isOfSession || r.Method == http.MethodDelete:
			require.Empty(t, key, name)
		case isSourceRead:
			require.Contains(t, sources, r.Path)
		default:
			require.Equal(t, "AES256", r.Header.Get("X-Goog-Encryption-Algorithm"), name)
			require.Equal(t, keyText, key, name)
			require.Equal(t, keySum, r.Header.Get("X-Goog-Encryption-Key-Sha256"), name)
			if r.Call() == "GET /photos/a" {
				downloadsWithKey++
			}
		}
	}
	require.Equal(t, 1, downloadsWithKey, "the download must have the key")
}

// WithSourceCustomerKey sends the key of the source with both requests of a copy, but does not encrypt the copy.
func TestWithSourceCustomerKeyRequests(t *testing.T) {
	server := newAcceptingServer(t)
	bucket := server.openBucket(t, func(c *Config) {
		c.KMSKey = kmsKey
	})

	_, err := storage.Copy(t.Context(), bucket, "c", bucket, "a",
		WithSourceCustomerKey(decodeKey(t, sourceKeyText)))
	require.NoError(t, err)

	readOfSource := server.Requests()[0]
	require.Equal(t, sourceKeyText, readOfSource.Header.Get("X-Goog-Encryption-Key"))

	rewrite := server.Last(t)
	require.Equal(t, "AES256", rewrite.Header.Get("X-Goog-Copy-Source-Encryption-Algorithm"))
	require.Equal(t, sourceKeyText, rewrite.Header.Get("X-Goog-Copy-Source-Encryption-Key"))
	require.Equal(t, sourceKeySum, rewrite.Header.Get("X-Goog-Copy-Source-Encryption-Key-Sha256"))
	require.Empty(t, rewrite.Header.Get("X-Goog-Encryption-Key"))
	require.Equal(t, kmsKey, rewrite.Query().Get("destinationKmsKeyName"))
}

// Config.KMSKey is sent with each write, unless an option sets another key.
func TestConfigKMSKeyRequests(t *testing.T) {
	withOtherKey := []storage.WriteOption{WithKMSKey(otherKMS)}
	tests := []struct {
		name      string
		composite bool   // Config.ParallelComposite
		configKey string // Config.KMSKey
		opts      []storage.WriteOption
		want      string // the key in each write
	}{
		{name: "of Config", configKey: kmsKey, want: kmsKey},
		{name: "of Config, parallel composite", composite: true, configKey: kmsKey, want: kmsKey},
		{name: "of Config and of an option", configKey: kmsKey, opts: withOtherKey, want: otherKMS},
		{name: "of an option, parallel composite", composite: true, opts: withOtherKey, want: otherKMS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newAcceptingServer(t)
			bucket := server.openBucket(t, func(c *Config) {
				c.KMSKey = tt.configKey
				c.ParallelComposite = tt.composite
			})

			uploadAndCopy(t, bucket, tt.opts)
			_, err := storage.Compose(t.Context(), bucket, "c", []string{"a", "b"}, asCopyOptions(tt.opts)...)
			require.NoError(t, err)
			requireKMSKey(t, server, tt.want)
		})
	}
}

// With WithCustomerKey, the key of Config.KMSKey is not sent.
func TestConfigKMSKeyWithCustomerKey(t *testing.T) {
	server := newAcceptingServer(t)
	bucket := server.openBucket(t, func(c *Config) { c.KMSKey = kmsKey })

	uploadAndCopy(t, bucket, []storage.WriteOption{WithCustomerKey(decodeKey(t, keyText))})
	const noKey = ""
	requireKMSKey(t, server, noKey)
}

// uploadAndCopy makes an upload in one request, an upload in parts, and a copy, all with the
// options.
func uploadAndCopy(t *testing.T, bucket storage.Bucket, opts []storage.WriteOption) {
	t.Helper()
	uploadOpts := asUploadOptions(opts)
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), uploadOpts...)
	require.NoError(t, err)
	threeParts := strings.NewReader(strings.Repeat("x", 600<<10))
	_, err = bucket.Upload(t.Context(), "a", threeParts, append(uploadOpts, storage.WithPartSize(256<<10))...)
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), bucket, "c", bucket, "a", asCopyOptions(opts)...)
	require.NoError(t, err)
}

// requireKMSKey requires that each write was sent with the KMS key, and that no other request was sent with one.
func requireKMSKey(t *testing.T, s *cannedServer, want string) {
	t.Helper()
	for _, r := range s.Requests() {
		query := r.Query()
		if r.Method != http.MethodPost {
			require.Empty(t, query.Get("kmsKeyName"))
			continue
		}

		// A copy has another parameter for the key.
		parameter, otherParameter := "kmsKeyName", "destinationKmsKeyName"
		if strings.Contains(r.Path, "/rewriteTo/") {
			parameter, otherParameter = otherParameter, parameter
		}
		require.Equal(t, want, query.Get(parameter), r.Call())
		require.Empty(t, query.Get(otherParameter), r.Call())
	}
}

// asUploadOptions returns the options for an upload.
func asUploadOptions(opts []storage.WriteOption) []storage.UploadOption {
	var all []storage.UploadOption
	for _, o := range opts {
		all = append(all, o)
	}
	return all
}

// asCopyOptions returns the options for a copy.
func asCopyOptions(opts []storage.WriteOption) []storage.CopyOption {
	var all []storage.CopyOption
	for _, o := range opts {
		all = append(all, o)
	}
	return all
}

// Each request sends Config.UserProject, the project that pays. Each request except listings and
// reads of a source sends the header of WithHeader.
func TestConfigUserProjectRequests(t *testing.T) {
	server := newAcceptingServer(t)
	bucket := server.openBucket(t, func(c *Config) {
		c.UserProject = "payer-1"
	})

	callEveryOperation(t, bucket, WithHeader("X-Goog-Custom-Audit-job", "nightly"))
	for _, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
	}
	for _, err := range storage.Versions(t.Context(), bucket) {
		require.NoError(t, err)
	}

	for _, r := range server.Requests() {
		// Requests to the XML API, and those of an upload session, have the project in a header.
		isXML := strings.HasPrefix(r.Path, "/photos/")
		isOfSession := r.Query().Has("upload_id")
		if isXML || isOfSession {
			require.Equal(t, "payer-1", r.Header.Get(userProjectHeader), r.Call())
		} else {
			require.Equal(t, []string{"payer-1"}, r.Query()["userProject"], r.Call())
		}

		// Listings, and reads of the source of a copy, have no header of WithHeader. Other reads of attributes have the
		// same path as those of a source, so they are not checked.
		isListing := r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/o")
		mayBeSource := r.Method == http.MethodGet && strings.HasPrefix(r.Path, "/storage/v1/b/photos/o/")
		if !isListing && !mayBeSource {
			require.Equal(t, "nightly", r.Header.Get("X-Goog-Custom-Audit-Job"), r.Call())
		}
	}
}

// Each write sends the native options: the custom time, the hold, the access list, and what WithAttrs sets. WithAttrs
// cannot change the name or the bucket of the object.
func TestUploadNativeOptions(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.FixedZone("", 3600))
	opts := []storage.WriteOption{
		WithCustomTime(when),
		WithEventBasedHold(),
		WithPredefinedACL("bucketOwnerRead"),
		storage.WithTags(map[string]string{"k": "v", "two": "a b"}),
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
		"contexts": map[string]any{"custom": map[string]any{
			"k":   map[string]any{"value": "v"},
			"two": map[string]any{"value": "a b"},
		}},
	}
	uploadOpts, copyOpts := asUploadOptions(opts), asCopyOptions(opts)

	tests := []struct {
		name         string
		write        func(t *testing.T, bucket storage.Bucket) error
		parse        func(t *testing.T, r wiretest.Request) map[string]any // returns the object in the request of the write
		aclParameter string                                                // the query parameter for the access list
	}{
		{
			name: "Put",
			write: func(t *testing.T, bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), uploadOpts...)
				return err
			},
			parse: func(t *testing.T, r wiretest.Request) map[string]any {
				o, _, _ := parseRelated(t, r)
				return o
			},
			aclParameter: "predefinedAcl",
		},
		{
			name: "BeginParts",
			write: func(t *testing.T, bucket storage.Bucket) error {
				_, err := bucket.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("x", 600<<10)),
					append(uploadOpts, storage.WithPartSize(256<<10))...)
				return err
			},
			parse:        parseDocument,
			aclParameter: "predefinedAcl",
		},
		{
			name: "Copy",
			write: func(t *testing.T, bucket storage.Bucket) error {
				_, err := storage.Copy(t.Context(), bucket, "a", bucket, "b", copyOpts...)
				return err
			},
			parse:        parseDocument,
			aclParameter: "destinationPredefinedAcl",
		},
		{
			name: "Compose",
			write: func(t *testing.T, bucket storage.Bucket) error {
				_, err := storage.Compose(t.Context(), bucket, "a", []string{"b", "c"}, copyOpts...)
				return err
			},
			parse: func(t *testing.T, r wiretest.Request) map[string]any {
				return parseDocument(t, r)["destination"].(map[string]any)
			},
			aclParameter: "destinationPredefinedAcl",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newAcceptingServer(t)
			require.NoError(t, tt.write(t, server.openBucket(t)))

			// Each POST writes an object. The other requests read the sources or send bytes of an upload.
			for _, r := range server.Requests() {
				if r.Method != http.MethodPost {
					continue
				}

				got := tt.parse(t, r)
				for field, value := range want {
					// The driver adds a random id to the metadata.
					if all, ok := got[field].(map[string]any); ok {
						delete(all, "omnibucketwriteid")
					}
					require.Equal(t, value, got[field], field)
				}
				require.Contains(t, []any{nil, "a"}, got["name"])
				require.Equal(t, "bucketOwnerRead", r.Query().Get(tt.aclParameter))
			}
		})
	}
}

// parseDocument parses the body of a request as JSON.
func parseDocument(t *testing.T, r wiretest.Request) (d map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(r.Body), &d))
	return d
}

// WithParameter adds its parameter to the request of a removal.
func TestWithParameterAddedToRemove(t *testing.T) {
	server := newAcceptingServer(t)

	err := server.openBucket(t).Remove(t.Context(), "a", WithParameter("ifMetagenerationMatch", "7"))

	require.NoError(t, err)
	require.Equal(t, "7", server.Last(t).Query().Get("ifMetagenerationMatch"))
}

// WithParameter adds its parameter to the request of an upload, beside the parameters of the upload.
func TestWithParameterAddedToUpload(t *testing.T) {
	server := newAcceptingServer(t)

	_, err := server.openBucket(t).Upload(t.Context(), "a", strings.NewReader("x"),
		WithParameter("ifMetagenerationMatch", "7"), WithParameter("x", "a&b"))

	require.NoError(t, err)
	require.Equal(t, []string{"a&b"}, server.Last(t).Query()["x"])
	require.Equal(t, "multipart", server.Last(t).Query().Get("uploadType"))
}

// An invalid native option fails before a request is sent.
func TestNativeOptionsRefused(t *testing.T) {
	tests := []struct {
		name     string
		option   storage.UploadOption
		wantCode storage.Code
	}{
		{name: "a short key", option: WithCustomerKey(make([]byte, 31)), wantCode: storage.InvalidArgument},
		{name: "a long key", option: WithCustomerKey(make([]byte, 33)), wantCode: storage.InvalidArgument},
		{name: "an empty key", option: WithCustomerKey(nil), wantCode: storage.InvalidArgument},
		{
			name:     "the name of a KMS key of AWS",
			option:   WithKMSKey("arn:aws:kms:eu-west-1:111122223333:key/1234"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a version of a KMS key",
			option:   WithKMSKey(kmsKey + "/cryptoKeyVersions/1"),
			wantCode: storage.InvalidArgument,
		},
		{name: "an empty name of a KMS key", option: WithKMSKey(""), wantCode: storage.InvalidArgument},
		{name: "a zero time", option: WithCustomTime(time.Time{}), wantCode: storage.InvalidArgument},
		{name: "an unknown predefined ACL", option: WithPredefinedACL("public-read"), wantCode: storage.InvalidArgument},
		{name: "no function for WithAttrs", option: WithAttrs(nil), wantCode: storage.InvalidArgument},
		{
			name:     "a header that the driver sets",
			option:   WithHeader("authorization", "Bearer x"),
			wantCode: storage.InvalidArgument,
		},
		{name: "an empty name of a header", option: WithHeader("", "x"), wantCode: storage.InvalidArgument},
		{
			name:     "a header whose value contains another header",
			option:   WithHeader("X-A", "b\r\nX-B: c"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a parameter that the driver sets",
			option:   WithParameter("generation", "1"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a parameter of a signature",
			option:   WithParameter("X-Goog-Signature", "1"),
			wantCode: storage.InvalidArgument,
		},
		{
			name:     "a parameter whose name contains another parameter",
			option:   WithParameter("a=b&c", "1"),
			wantCode: storage.InvalidArgument,
		},
		{name: "a value of an unknown type", option: storage.WithNative(provider, 1), wantCode: storage.Unsupported},
		{
			name:     "an option of another provider",
			option:   storage.WithNative("s3", 1),
			wantCode: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newAcceptingServer(t)
			_, err := server.openBucket(t).Upload(t.Context(), "a", strings.NewReader("x"), tt.option)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			require.Empty(t, server.Calls())
		})
	}
}

// Two options that contradict each other fail before a request is sent.
func TestContradictoryOptionsRefused(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.UploadOption
	}{
		{
			name: "a customer's key and a KMS key",
			opts: []storage.UploadOption{WithCustomerKey(make([]byte, 32)), WithKMSKey(kmsKey)},
		},
		{
			name: "two predefined ACLs",
			opts: []storage.UploadOption{WithPredefinedACL("private"), storage.WithPublicRead()},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newAcceptingServer(t)
			_, err := server.openBucket(t).Upload(t.Context(), "a", strings.NewReader("x"), tt.opts...)
			require.Contains(t, []storage.Code{storage.InvalidArgument, storage.Unsupported},
				storage.CodeOf(err), "%v", err)
			require.Empty(t, server.Calls())
		})
	}
}

// WithAttrs with an MD5 is Unsupported for a copy, and for an upload in parts that are composed, because Google would
// not check the MD5.
func TestWithAttrsUncheckedMD5(t *testing.T) {
	withMD5 := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.MD5 = make([]byte, 16)
	})

	t.Run("an upload in parts that are composed", func(t *testing.T) {
		server := newAcceptingServer(t)
		bucket := server.openBucket(t, func(c *Config) {
			c.ParallelComposite = true
		})
		body := strings.NewReader(strings.Repeat("x", 600<<10))

		_, err := bucket.Upload(t.Context(), "a", body, storage.WithPartSize(256<<10), withMD5)
		require.ErrorIs(t, err, storage.Unsupported)
		require.Empty(t, server.Calls())
	})
	t.Run("a copy", func(t *testing.T) {
		server := newAcceptingServer(t)

		_, err := server.openDriver(t).Copy(t.Context(), &driver.CopyRequest{
			Key:    "a",
			Source: copySource(),
			Native: nativeValues(withMD5),
		})

		require.ErrorIs(t, err, storage.Unsupported)
		require.Empty(t, server.Calls())
	})
}

// NewDriver fails with InvalidArgument for an invalid name of a KMS key or of a project.
func TestNativeConfigRefused(t *testing.T) {
	tests := []struct {
		name   string
		config Config
	}{
		{name: "the name of a KMS key of AWS", config: Config{Bucket: "photos", KMSKey: "alias/key"}},
		{name: "a project with a space", config: Config{Bucket: "photos", UserProject: "a b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewDriver(t.Context(), tt.config)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// nativeValues returns the values that a driver gets for an option.
func nativeValues(o storage.UploadOption) []any {
	c := &captureDriver{}
	_, _ = engine.New(c).Upload(context.Background(), "a", strings.NewReader("x"), o)
	return c.natives
}

// A captureDriver keeps the native values of a Put.
type captureDriver struct {
	driver.Driver
	natives []any
}

// Describe returns a description that accepts each native value.
func (*captureDriver) Describe() driver.Description {
	return driver.Description{
		Provider:    provider,
		Features:    storage.OrderedListing,
		CheckNative: func(any) error { return nil },
	}
}

// Put keeps the native values of the request.
func (c *captureDriver) Put(_ context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	c.natives = r.Native
	return &storage.Attrs{}, nil
}
