package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// now is the time of all signatures in these tests.
var now = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

// An expiring provides the credentials of a session. If at is not zero, they expire then.
type expiring struct{ at time.Time }

// Retrieve returns the credentials of a session, which expires at e.at. If e.at is zero, its expiry is
// unknown.
func (e expiring) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID:     "AKID",
		SecretAccessKey: "secret",
		SessionToken:    "tok/en+==",
		CanExpire:       !e.at.IsZero(),
		Expires:         e.at,
	}, nil
}

// mustOpen opens the bucket of c. The defaults are the bucket "photos", the region eu-west-1, and the access key AKID.
func mustOpen(t *testing.T, c Config) *objectDriver {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "photos"
	}
	if c.Region == "" {
		c.Region = "eu-west-1"
	}
	if c.AccessKeyID == "" && c.AWS == nil && !c.Anonymous {
		c.AccessKeyID = "AKID"
		c.SecretKey = "secret"
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// An atTime is the SDK's signer at a fixed time. It removes the name of the operation,
// which the SDK adds to the query.
type atTime struct{ now time.Time }

// PresignHTTP signs the request as the SDK does, but at the time a.now and without the parameter
// x-id.
func (a atTime) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, payload, service, region string, _ time.Time,
	opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	query := r.URL.Query()
	query.Del("x-id")
	r.URL.RawQuery = query.Encode()

	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // as the SDK makes it for S3
	})
	return signer.PresignHTTP(ctx, c, r, payload, service, region, a.now, opts...)
}

// sdkPut returns the signed upload that the SDK makes for the driver's bucket.
func (d *objectDriver) sdkPut(
	t *testing.T, ttl time.Duration, input *awss3.PutObjectInput,
) *v4.PresignedHTTPRequest {
	t.Helper()
	input.Bucket = &d.bucket.name
	client := awss3.NewPresignClient(d.account.client)
	presigned, err := client.PresignPutObject(t.Context(), input, func(o *awss3.PresignOptions) {
		o.Presigner = atTime{now}
		o.Expires = ttl
	})
	require.NoError(t, err)
	return presigned
}

// sdkGet returns the signed download that the SDK makes for the driver's bucket.
func (d *objectDriver) sdkGet(
	t *testing.T, ttl time.Duration, input *awss3.GetObjectInput,
) *v4.PresignedHTTPRequest {
	t.Helper()
	input.Bucket = &d.bucket.name
	client := awss3.NewPresignClient(d.account.client)
	presigned, err := client.PresignGetObject(t.Context(), input, func(o *awss3.PresignOptions) {
		o.Presigner = atTime{now}
		o.Expires = ttl
	})
	require.NoError(t, err)
	return presigned
}

// keys has a key for each kind of special character that must be escaped.
var keys = append(slices.Clone(wiretest.Keys), "a=b&X-Amz-Expires=9", strings.Repeat("k/", 511)+"kk")

// A signed upload is the same as that of the SDK, at each kind of endpoint, for each kind of key and
// property.
func TestSignedUploadMatchesSDK(t *testing.T) {
	tests := []signedUploadTest{
		{name: "a content type"},
		{
			name: "a size",
			change: func(r *driver.SignRequest) {
				r.MinSize = 5
				r.MaxSize = 5
			},
			sdkInput: awss3.PutObjectInput{ContentLength: aws.Int64(5)},
		},
		{
			name: "create only",
			change: func(r *driver.SignRequest) {
				r.Condition.Absent = true
			},
			sdkInput: awss3.PutObjectInput{IfNoneMatch: aws.String("*")},
		},
		{
			name: "properties",
			change: func(r *driver.SignRequest) {
				r.CacheControl = "no-store"
				r.ContentDisposition = `attachment;  filename="a"`
				r.ContentLanguage = "de"
				r.ContentEncoding = "gzip"
				r.StorageClass = "STANDARD_IA"
				r.PublicRead = true
				r.Metadata = map[string]string{"a": "1", "b-c_d": "=?utf-8?q?x?="}
			},
			sdkInput: awss3.PutObjectInput{
				CacheControl:       aws.String("no-store"),
				ContentDisposition: aws.String(`attachment;  filename="a"`),
				ContentLanguage:    aws.String("de"),
				ContentEncoding:    aws.String("gzip"),
				StorageClass:       types.StorageClassStandardIa,
				ACL:                types.ObjectCannedACLPublicRead,
				Metadata:           map[string]string{"a": "1", "b-c_d": "=?utf-8?q?x?="},
			},
		},
	}
	for _, key := range keys {
		tests = append(tests, signedUploadTest{
			name: fmt.Sprintf("key %.20q", key),
			change: func(r *driver.SignRequest) {
				r.Key = key
			},
			sdkInput: awss3.PutObjectInput{Key: &key},
		})
	}

	configs := map[string]Config{
		"virtual host":              {},
		"path style":                {PathStyle: aws.Bool(true)},
		"a custom server":           {Endpoint: "http://127.0.0.1:9000"},
		"a server with a path":      {Endpoint: "https://example.com/s3/", PathStyle: aws.Bool(true)},
		"a bucket with dots":        {Bucket: "my.photos"},
		"the scheme's default port": {Endpoint: "https://example.com:443"},
		"Spaces":                    {Endpoint: "https://nyc3.digitaloceanspaces.com"},
		"credentials with a token":  {AWS: &aws.Config{Credentials: expiring{}, Region: "eu-west-1"}},
	}
	for configName, config := range configs {
		d := mustOpen(t, config)
		for _, tt := range tests {
			t.Run(configName+"/"+tt.name, func(t *testing.T) {
				want := tt.signWithSDK(t, d)
				got, err := d.urls.sign(t.Context(), wiretest.SignedUpload(tt.change), now)
				require.NoError(t, err)
				require.Equal(t, want.URL, got.URL)

				// The HTTP client itself sets these headers. A browser allows no script to set Content-Length.
				want.SignedHeader.Del("Host")
				want.SignedHeader.Del("Content-Length")
				require.Equal(t, want.SignedHeader, got.Header)
				require.Equal(t, http.MethodPut, got.Method)
			})
		}
	}
}

// A signedUploadTest is a request to sign an upload, and the same request to the SDK.
type signedUploadTest struct {
	name     string
	change   func(r *driver.SignRequest)
	sdkInput awss3.PutObjectInput // without the content type, and without the key "a"
}

// signWithSDK returns the upload as the SDK signs it.
func (tt signedUploadTest) signWithSDK(t *testing.T, d *objectDriver) *v4.PresignedHTTPRequest {
	t.Helper()
	input := tt.sdkInput
	if input.Key == nil {
		input.Key = aws.String("a")
	}
	input.ContentType = aws.String("text/plain")
	input.Metadata = d.account.profile.attributes().StoredNames(input.Metadata)

	// This package signs from the start of the current second, so its URL is valid for a second more than the TTL.
	return d.sdkPut(t, time.Hour+time.Second, &input)
}

// A signed upload with a checksum is the same as that of the SDK.
func TestSignedUploadChecksumMatchesSDK(t *testing.T) {
	const (
		sum        = 0xdeadbeef
		encodedSum = "3q2+7w=="
	)
	d := mustOpen(t, Config{})
	want := d.sdkPut(t, time.Hour+time.Second, &awss3.PutObjectInput{
		Key:            aws.String("a"),
		ContentType:    aws.String("text/plain"),
		ChecksumCRC32C: aws.String(encodedSum),
	})

	got, err := d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
	}), now)
	require.NoError(t, err)
	require.Equal(t, want.URL, got.URL)
	require.Equal(t, encodedSum, got.Header.Get("X-Amz-Checksum-Crc32c"))
}

// A signed download of any key has the same URL as one that the SDK signs at the same time.
func TestSignedDownloadMatchesSDK(t *testing.T) {
	const (
		version = "v/1+=" // has characters that must be escaped
		ttl     = time.Minute
	)
	d := mustOpen(t, Config{})
	for _, key := range keys {
		// A signature is valid from the start of the current second, so it lasts a second longer
		// than the TTL.
		want := d.sdkGet(t, ttl+time.Second, &awss3.GetObjectInput{
			Key:                        &key,
			VersionId:                  aws.String(version),
			ResponseContentType:        aws.String("image/png"),
			ResponseContentDisposition: aws.String(`attachment; filename="a b_.png"; filename*=UTF-8''a%20b%C3%A9.png`),
		})

		got, err := d.urls.sign(t.Context(), &driver.SignRequest{
			Method:       http.MethodGet,
			Key:          key,
			TTL:          ttl,
			Version:      version,
			MinSize:      -1, // no limit
			MaxSize:      -1,
			ResponseType: "image/png",
			ResponseName: "a b\u00e9.png",
		}, now)
		require.NoError(t, err)
		require.Equal(t, want.URL, got.URL)
		require.Empty(t, got.Header)
	}
}

// Each byte of a key is escaped in the path of a signed URL, except unreserved characters and slashes.
func TestSignedURLEscapesPath(t *testing.T) {
	d := mustOpen(t, Config{})
	for _, key := range keys {
		req := wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Key = key
		})
		signedURL, err := d.urls.sign(t.Context(), req, now)
		require.NoError(t, err)
		wiretest.RequireEscapedPath(t, signedURL.URL, "/"+key)
	}
}

// A signed upload signs the headers that the client must send, and returns them. It also signs
// Content-Length, but does not return it, because each client sets this header itself.
func TestSignedHeaders(t *testing.T) {
	d := mustOpen(t, Config{})
	req := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.MinSize = 5
		r.MaxSize = 5
		r.Condition.Absent = true
		r.Metadata = map[string]string{"k": "v"}
	})

	signedURL, err := d.urls.sign(t.Context(), req, now)
	require.NoError(t, err)
	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)

	require.Equal(t, "content-length;content-type;host;if-none-match;x-amz-meta-k",
		u.Query().Get("X-Amz-SignedHeaders"))
	require.Equal(t, http.Header{
		"Content-Type":  {"text/plain"},
		"If-None-Match": {"*"},
		"X-Amz-Meta-K":  {"v"},
	}, signedURL.Header)
	require.NotContains(t, signedURL.URL, "checksum",
		"an algorithm without a value would sign the checksum of nothing")
}

// A signed upload of an empty object includes the MD5 of no bytes, because a length of zero cannot
// be signed.
func TestSignedEmptyBody(t *testing.T) {
	d := mustOpen(t, Config{})
	req := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.MinSize = 0
		r.MaxSize = 0
	})

	signedURL, err := d.urls.sign(t.Context(), req, now)
	require.NoError(t, err)
	const emptyMD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
	require.Equal(t, emptyMD5, signedURL.Header.Get("Content-Md5"))
	require.Contains(t, signedURL.URL, "content-md5")
}

// A signed URL has the given base URL in place of the endpoint. If the host of the base URL does
// not name the bucket, the bucket stands before the host or in the path, as at the endpoint.
func TestSigningBaseURL(t *testing.T) {
	tests := map[string]struct {
		config     Config
		base, want string
	}{
		"a path style server": {
			config: Config{Endpoint: "http://minio:9000", PathStyle: aws.Bool(true)},
			base:   "https://files.example.com/",
			want:   "https://files.example.com/photos/a%20b",
		},
		"a path in the endpoint": {
			config: Config{Endpoint: "http://minio:9000", PathStyle: aws.Bool(true)},
			base:   "https://example.com/s3/",
			want:   "https://example.com/s3/photos/a%20b",
		},
		"a host that can have the bucket before it": {
			config: Config{},
			base:   "https://s3.dualstack.eu-west-1.amazonaws.com/",
			want:   "https://photos.s3.dualstack.eu-west-1.amazonaws.com/a%20b",
		},
		"a host that names the bucket": {
			config: Config{},
			base:   "https://photos.s3-accelerate.amazonaws.com/",
			want:   "https://photos.s3-accelerate.amazonaws.com/a%20b",
		},
		"a bucket with its own domain": {
			config: Config{Bucket: "files.example.com", Endpoint: "https://nyc3.digitaloceanspaces.com"},
			base:   "https://files.example.com/",
			want:   "https://files.example.com/a%20b",
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, tt.config)
			req := wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.BaseURL = tt.base
				r.Key = "a b"
			})

			signedURL, err := d.urls.sign(t.Context(), req, now)
			require.NoError(t, err)

			address, _, _ := strings.Cut(signedURL.URL, "?")
			require.Equal(t, tt.want, address)
		})
	}
}

// Signatures expire with their TTL or with the credentials, whichever is first.
func TestSignedURLExpires(t *testing.T) {
	second := now.Truncate(time.Second)
	unknown := time.Time{}
	tests := map[string]struct {
		ttl               time.Duration
		credentialsExpiry time.Time
		wantExpiry        time.Time // of the URL
	}{
		"at least the requested time": {
			ttl:               time.Second,
			credentialsExpiry: unknown,
			wantExpiry:        second.Add(2 * time.Second),
		},
		"at most 7 days": {
			ttl:               7 * 24 * time.Hour,
			credentialsExpiry: now.Add(30 * 24 * time.Hour),
			wantExpiry:        second.Add(7 * 24 * time.Hour),
		},
		"a session with unknown expiry": {
			ttl:               7 * 24 * time.Hour,
			credentialsExpiry: unknown,
			wantExpiry:        second.Add(12 * time.Hour),
		},
		"credentials that outlast it": {
			ttl:               time.Hour,
			credentialsExpiry: now.Add(2 * time.Hour),
			wantExpiry:        second.Add(time.Hour + time.Second),
		},
		"credentials that expire before": {
			ttl:               time.Hour,
			credentialsExpiry: now.Add(20 * time.Minute),
			wantExpiry:        second.Add(20 * time.Minute),
		},
		"credentials that expire in half a second": {
			ttl:               time.Hour,
			credentialsExpiry: now.Add(500 * time.Millisecond),
			wantExpiry:        second.Add(time.Second),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			credentials := expiring{at: tt.credentialsExpiry}
			d := mustOpen(t, Config{AWS: &aws.Config{Credentials: credentials, Region: "eu-west-1"}})
			got, err := d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), now)
			require.NoError(t, err)
			require.Equal(t, tt.wantExpiry, got.ExpiresAt)

			// The URL has the number of seconds until the signature expires.
			u, err := url.Parse(got.URL)
			require.NoError(t, err)
			wantSeconds := int64(tt.wantExpiry.Sub(second) / time.Second)
			require.Equal(t, fmt.Sprint(wantSeconds), u.Query().Get("X-Amz-Expires"))
		})
	}
	t.Run("expired credentials", func(t *testing.T) {
		d := mustOpen(t, Config{
			AWS: &aws.Config{Credentials: expiring{at: now.Add(-time.Hour)}, Region: "eu-west-1"},
		})
		_, err := d.urls.sign(t.Context(), wiretest.SignedUpload(nil), now)
		require.ErrorIs(t, err, storage.Unauthenticated)
		require.NotContains(t, err.Error(), "secret")
	})
}

// Sign fails with Unsupported if a signature cannot enforce what the request asks for.
func TestSigningErrors(t *testing.T) {
	tests := map[string]struct {
		config Config
		change func(r *driver.SignRequest)
	}{
		"without credentials": {config: Config{Anonymous: true}},
		"an unknown native option": {
			change: func(r *driver.SignRequest) {
				r.Native = []any{1}
			},
		},
		"a range of sizes": {
			change: func(r *driver.SignRequest) {
				r.MinSize = 1
				r.MaxSize = 5
			},
		},
		"a CRC32C that the server does not check": {
			config: Config{Profile: &Profile{Name: "none"}},
			change: func(r *driver.SignRequest) {
				r.CRC32C = storage.CRC32C{Sum: 1, Known: true}
			},
		},
		"an unsupported method": {
			change: func(r *driver.SignRequest) {
				r.Method = http.MethodPatch
			},
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := mustOpen(t, tt.config)
			_, err := d.urls.sign(t.Context(), wiretest.SignedUpload(tt.change), now)
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// This package signs the policy of a form with its signing key. The signature equals that of the
// SDK.
func TestSigningKeyMatchesSigV4(t *testing.T) {
	d := mustOpen(t, Config{AWS: &aws.Config{Credentials: expiring{}, Region: "eu-west-1"}})

	// The SDK signs a form.
	presigner := awss3.NewPresignClient(d.account.client)
	input := &awss3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("a")}
	presigned, err := presigner.PresignPostObject(t.Context(), input)
	require.NoError(t, err)
	signedAt, err := time.Parse(signature.TimeFormat, presigned.Values["X-Amz-Date"])
	require.NoError(t, err)

	// This package signs the same policy, with the key of the same day.
	credentials, err := expiring{}.Retrieve(t.Context())
	require.NoError(t, err)
	key := d.account.keys.Get(&credentials, "eu-west-1", signedAt)
	require.Equal(t, presigned.Values["X-Amz-Signature"], key.Signature(presigned.Values["policy"]))
	require.Equal(t, "https://photos.s3.eu-west-1.amazonaws.com", presigned.URL)
}

// Concurrent calls sign the same URL, even while other calls sign for another day.
func TestSignConcurrently(t *testing.T) {
	const callers, rounds = 8, 100
	d := mustOpen(t, Config{})
	want, err := d.urls.sign(t.Context(), wiretest.SignedUpload(nil), now)
	require.NoError(t, err)

	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range rounds {
				signedURL, err := d.urls.sign(t.Context(), wiretest.SignedUpload(nil), now)
				if err != nil || signedURL.URL != want.URL {
					t.Errorf("signed %v, %v; want %s", signedURL, err, want.URL)
					return
				}
				// The other day needs another key. The driver keeps only one key, so the new one
				// replaces it.
				_, _ = d.urls.sign(t.Context(), wiretest.SignedUpload(nil), now.Add(24*time.Hour))
			}
		})
	}
	group.Wait()
}
