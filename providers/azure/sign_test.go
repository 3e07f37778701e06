package azure

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// newSigner opens a container whose account has a key, unless c says otherwise.
func newSigner(t *testing.T, c Config) *objectDriver {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "photos"
	}
	if c.Account == "" && c.Endpoint == "" {
		c.Account = testAccount
	}
	if c.Key == "" && c.SASToken == "" && c.Credential == nil && !c.Anonymous {
		c.Key = testKey
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// Each byte of a key is escaped in the path of a signed URL, unless it is unreserved or a slash.
func TestSignedURLEscapesPath(t *testing.T) {
	d := newSigner(t, Config{})
	for _, key := range signedKeys {
		req := wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Key = key
		})
		signedURL, err := d.sign(t.Context(), req, signedAt)
		require.NoError(t, err)
		wiretest.RequireEscapedPath(t, signedURL.URL, "/photos/"+key)
	}
}

// The signature contains the account's name, even if the signed URL has another host.
func TestSigningBaseURL(t *testing.T) {
	const emulator = "http://127.0.0.1:10000/acme"
	tests := []struct {
		name         string
		config       Config
		baseURL      string // of the signed URL; "" for the endpoint
		want         string // the signed URL, without its query
		wantProtocol string // which the signature permits
	}{
		{
			name:         "Azure",
			config:       Config{},
			want:         "https://acme.blob.core.windows.net/photos/a%20b",
			wantProtocol: "https",
		},
		{
			name:         "another cloud",
			config:       Config{Endpoint: "https://acme.blob.core.chinacloudapi.cn"},
			want:         "https://acme.blob.core.chinacloudapi.cn/photos/a%20b",
			wantProtocol: "https",
		},
		{
			name:         "a domain of one's own",
			config:       Config{Account: testAccount, Endpoint: "https://files.example.com"},
			want:         "https://files.example.com/photos/a%20b",
			wantProtocol: "https",
		},
		{
			name:         "an account in the path",
			config:       Config{Endpoint: emulator},
			want:         emulator + "/photos/a%20b",
			wantProtocol: "https,http",
		},
		{
			name:         "a domain for clients",
			config:       Config{},
			baseURL:      "https://files.example.com/",
			want:         "https://files.example.com/photos/a%20b",
			wantProtocol: "https",
		},
		{
			name:         "a domain below a path",
			config:       Config{},
			baseURL:      "https://example.com/files/",
			want:         "https://example.com/files/photos/a%20b",
			wantProtocol: "https",
		},
		{
			name:         "a port for clients",
			config:       Config{Endpoint: emulator},
			baseURL:      "http://localhost:8080/acme/",
			want:         "http://localhost:8080/acme/photos/a%20b",
			wantProtocol: "https,http",
		},
		{
			name:         "TLS that ends at a proxy",
			config:       Config{Endpoint: emulator},
			baseURL:      "https://files.example.com/acme/",
			want:         "https://files.example.com/acme/photos/a%20b",
			wantProtocol: "https,http",
		},
		{
			name:         "no TLS for clients",
			config:       Config{},
			baseURL:      "http://files.example.com/",
			want:         "http://files.example.com/photos/a%20b",
			wantProtocol: "https,http",
		},
		{
			name:         "the account's own container",
			config:       Config{Bucket: "$root"},
			want:         "https://acme.blob.core.windows.net/$root/a%20b",
			wantProtocol: "https",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newSigner(t, tt.config)
			request := signedDownload(func(r *driver.SignRequest) {
				r.BaseURL = tt.baseURL
				r.Key = "a b"
			})
			signedURL, err := d.sign(t.Context(), request, signedAt)
			require.NoError(t, err)
			address, query, _ := strings.Cut(signedURL.URL, "?")
			require.Equal(t, tt.want, address)
			require.Equal(t, tt.wantProtocol, parsedQuery(t, query).Get("spr"))

			// The signature is the one that the SDK makes for the account. It does not depend on
			// the host.
			credential, err := service.NewSharedKeyCredential(testAccount, testKey)
			require.NoError(t, err)
			want, err := sas.BlobSignatureValues{
				Version:       sasVersion,
				Protocol:      sas.Protocol(tt.wantProtocol),
				StartTime:     signedAt.Truncate(time.Second).Add(time.Second - clockSkew),
				ExpiryTime:    signedURL.ExpiresAt,
				Permissions:   "r",
				ContainerName: d.container.name,
				BlobName:      "a b",
			}.SignWithSharedKey(credential)
			require.NoError(t, err)
			require.Equal(t, want.Signature(), parsedQuery(t, query).Get("sig"))
		})
	}
}

// A signed URL is valid for at least the requested time. It begins before the present, because a service whose clock is
// slow would otherwise refuse it.
func TestSignedURLExpires(t *testing.T) {
	// Times in a signature are in whole seconds. signedAt is not, so the end is rounded up.
	second := signedAt.Truncate(time.Second)
	tests := []struct {
		name string
		ttl  time.Duration
		want time.Time
	}{
		{name: "at least the requested time", ttl: time.Second, want: second.Add(2 * time.Second)},
		{name: "at most 7 days", ttl: 7 * 24 * time.Hour, want: second.Add(7 * 24 * time.Hour)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := signedDownload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			})
			oneHourEast := time.FixedZone("", 3600)
			signedURL, err := newSigner(t, Config{}).sign(t.Context(), request, signedAt.In(oneHourEast))
			require.NoError(t, err)
			require.Equal(t, tt.want, signedURL.ExpiresAt)

			u, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, tt.want.Format(sasTime), u.Query().Get("se"))

			// The start is rounded up, too, because an account that limits the term of signatures may refuse a longer one.
			start := second.Add(time.Second - clockSkew)
			require.Equal(t, start.Format(sasTime), u.Query().Get("st"))
			require.LessOrEqual(t, signedURL.ExpiresAt.Sub(start), tt.ttl+clockSkew)
		})
	}
}

// A signed URL has no more permissions than it needs.
func TestSignedURLPermissions(t *testing.T) {
	// The letters stand for the rights to read, create, write, delete, and delete a version (x).
	tests := []struct {
		name string
		req  *driver.SignRequest
		want string
	}{
		{name: "a download", req: signedDownload(nil), want: "r"},
		{name: "an upload", req: wiretest.SignedUpload(nil), want: "cw"},
		{
			name: "an upload, if absent",
			req: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.Condition.Absent = true
			}),
			want: "c",
		},
		{
			name: "a removal",
			req: signedDownload(func(r *driver.SignRequest) {
				r.Method = http.MethodDelete
			}),
			want: "d",
		},
		{
			name: "a removal of a version",
			req: signedDownload(func(r *driver.SignRequest) {
				r.Method = http.MethodDelete
				r.Version = "2026-03-01T00:00:00.1234567Z"
			}),
			want: "x",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := newSigner(t, Config{}).sign(t.Context(), tt.req, signedAt)
			require.NoError(t, err)
			u, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, tt.want, u.Query().Get("sp"))
			require.Equal(t, tt.req.Method, signedURL.Method)
		})
	}
}

// A signed upload lists the headers with which its client must send the properties.
func TestSignedUploadHeaders(t *testing.T) {
	req := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.CacheControl = "no-store"
		r.ContentDisposition = `attachment; filename="a"`
		r.ContentLanguage = "de"
		r.ContentEncoding = "gzip"
		r.StorageClass = "Cool"
		r.Metadata = map[string]string{"a": "1", "b-c": "=?utf-8?q?x?="}
	})

	signedURL, err := newSigner(t, Config{}).sign(t.Context(), req, signedAt)
	require.NoError(t, err)
	require.Equal(t, http.Header{
		"X-Ms-Blob-Type":                {"BlockBlob"},
		"X-Ms-Blob-Content-Type":        {"text/plain"},
		"X-Ms-Blob-Content-Encoding":    {"gzip"},
		"X-Ms-Blob-Content-Disposition": {`attachment; filename="a"`},
		"X-Ms-Blob-Content-Language":    {"de"},
		"X-Ms-Blob-Cache-Control":       {"no-store"},
		"X-Ms-Access-Tier":              {"Cool"},
		"X-Ms-Meta-A":                   {"1"},
		"X-Ms-Meta-B_x002d_c":           {"=?utf-8?q?x?="},
	}, signedURL.Header)
}

// The query of a signed download sets headers of the response.
func TestSignedDownloadURLResponseHeaders(t *testing.T) {
	signedURL, err := newSigner(t, Config{}).sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
		r.ResponseType = "image/png"
		r.ResponseName = "a bé.png"
		r.Version = "2026-03-01T00:00:00.1234567Z"
	}), signedAt)
	require.NoError(t, err)
	require.Empty(t, signedURL.Header)

	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "image/png", u.Query().Get("rsct"))
	require.Equal(t, `attachment; filename="a b_.png"; filename*=UTF-8''a%20b%C3%A9.png`,
		u.Query().Get("rscd"))
	require.Equal(t, "bv", u.Query().Get("sr"))
	require.Equal(t, "2026-03-01T00:00:00.1234567Z", u.Query().Get("versionid"))
}

// All stable URLs that are signed in the same hour are equal. They are valid from 15 minutes before
// this hour, and expire one TTL after its end.
func TestStableURLsOfAzure(t *testing.T) {
	hour := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	stable := signedDownload(func(r *driver.SignRequest) {
		r.TTL = time.Minute
		r.StableFor = time.Hour
		r.ResponseCacheControl = "private, max-age=3600"
	})
	signAt := func(now time.Time) *storage.SignedURL {
		signedURL, err := newSigner(t, Config{}).sign(t.Context(), stable, now)
		require.NoError(t, err)
		return signedURL
	}

	// All URLs of an hour are equal.
	nextHour := hour.Add(time.Hour)
	signedURL := signAt(hour)
	require.Equal(t, signedURL, signAt(nextHour.Add(-time.Nanosecond)))
	require.NotEqual(t, signedURL.URL, signAt(nextHour).URL)

	// The URL is valid from 15 minutes before the hour until a minute after its end.
	require.Equal(t, time.Date(2026, 3, 4, 6, 1, 0, 0, time.UTC), signedURL.ExpiresAt)
	query := parsedQuery(t, signedURL.URL)
	require.Equal(t, "private, max-age=3600", query.Get("rscc"))
	require.Equal(t, "2026-03-04T04:45:00Z", query.Get("st"))

	// With a token there are no stable URLs, because user delegation keys differ between processes.
	byToken := newSigner(t, Config{Credential: fixedToken("token")})
	require.Zero(t, byToken.Describe().Features&storage.StableURLs)
}

// SignedRemoveURL signs x-ms-delete-snapshots for an object. For a version, it omits this header,
// because Azure would refuse it. https://learn.microsoft.com/rest/api/storageservices/delete-blob.
func TestSignedRemoveURLIncludesSnapshots(t *testing.T) {
	// The removal of an object includes its snapshots.
	removal := signedDownload(func(r *driver.SignRequest) {
		r.Method = http.MethodDelete
	})
	signedURL, err := newSigner(t, Config{}).sign(t.Context(), removal, signedAt)
	require.NoError(t, err)
	require.Equal(t, http.Header{"X-Ms-Delete-Snapshots": {"include"}}, signedURL.Header)

	// The removal of a version does not.
	removal.Version = "2026-03-01T00:00:00.1234567Z"
	signedURL, err = newSigner(t, Config{}).sign(t.Context(), removal, signedAt)
	require.NoError(t, err)
	require.Empty(t, signedURL.Header)
	require.Equal(t, "bv", parsedQuery(t, signedURL.URL).Get("sr"), "the signed resource must be a version")
}

// A signed URL is refused if the account has no key or Azure cannot enforce its options.
func TestSignedURLUnsupported(t *testing.T) {
	sum := uint32(1)
	tests := []struct {
		name   string
		config Config
		req    *driver.SignRequest
		want   storage.Code
	}{
		{
			name:   "without credentials",
			config: Config{Anonymous: true},
			req:    signedDownload(nil),
			want:   storage.Unsupported,
		},
		{
			name:   "with only a signature",
			config: Config{SASToken: "sv=2026-12-06&sig=abc"},
			req:    signedDownload(nil),
			want:   storage.Unsupported,
		},
		{
			name:   "a CRC32C, which Azure does not verify",
			config: Config{},
			req: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
			}),
			want: storage.Unsupported,
		},
		{
			name:   "a size, which Azure does not verify",
			config: Config{},
			req: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.MinSize = 5
				r.MaxSize = 5
			}),
			want: storage.Unsupported,
		},
		{
			name:   "an unsupported method",
			config: Config{},
			req: signedDownload(func(r *driver.SignRequest) {
				r.Method = http.MethodPatch
			}),
			want: storage.Unsupported,
		},
		{
			name:   "a malformed version",
			config: Config{},
			req: signedDownload(func(r *driver.SignRequest) {
				r.Version = "yesterday"
			}),
			want: storage.InvalidArgument,
		},
		{
			name:   "a key that Azure reads as another",
			config: Config{},
			req: signedDownload(func(r *driver.SignRequest) {
				r.Key = `a\b`
			}),
			want: storage.InvalidArgument,
		},
		{
			name:   "a version that adds parameters",
			config: Config{},
			req: signedDownload(func(r *driver.SignRequest) {
				r.Version = "x&comp=list"
			}),
			want: storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newSigner(t, tt.config).sign(t.Context(), tt.req, signedAt)
			require.ErrorIs(t, err, tt.want)
			require.NotContains(t, err.Error(), "abc")
		})
	}
}

// The driver declares SignedURLs only if its credentials can sign. It declares IfAbsent as the only
// condition of signed uploads, because Azure can enforce no other.
func TestSigningFeatures(t *testing.T) {
	const signingFeatures = storage.SignedURLs | storage.SignedContentType | storage.SignedSize |
		storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead
	const azureFeatures = storage.SignedURLs | storage.SignedIfAbsent
	tests := []struct {
		name   string
		config Config
		want   storage.Features
	}{
		{name: "the account's key", config: Config{Account: testAccount, Key: testKey}, want: azureFeatures},
		{
			name:   "a token credential",
			config: Config{Account: testAccount, Credential: fixedToken("token")},
			want:   azureFeatures,
		},
		{
			name:   "a connection string",
			config: Config{ConnectionString: "AccountName=acme;AccountKey=" + testKey},
			want:   azureFeatures,
		},
		{
			name:   "only a signature",
			config: Config{Account: testAccount, SASToken: "sv=2026-12-06&sig=abc"},
		},
		{name: "no credentials", config: Config{Account: testAccount, Anonymous: true}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Bucket = "photos"
			d, err := NewDriver(t.Context(), tt.config)
			require.NoError(t, err)
			require.Equal(t, tt.want, d.Describe().Features&signingFeatures)
		})
	}
}

// A token can sign only if the account's name is known, because Azure verifies signatures by that
// name, and not by the host.
func TestSignByTokenNeedsAccount(t *testing.T) {
	tests := []struct {
		name    string
		config  Config
		canSign bool
	}{
		{name: "a domain of one's own", config: Config{Endpoint: "https://files.example.com"}},
		{
			name:    "a domain of one's own, and a name",
			config:  Config{Endpoint: "https://files.example.com", Account: testAccount},
			canSign: true,
		},
		{
			name:    "the account's host",
			config:  Config{Endpoint: "https://acme.blob.core.windows.net"},
			canSign: true,
		},
		{
			name:    "the account's host in a private zone",
			config:  Config{Endpoint: "https://acme.privatelink.blob.core.windows.net"},
			canSign: true,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.Bucket = "photos"
			tt.config.Credential = fixedToken("token")
			d, err := NewDriver(t.Context(), tt.config)
			require.NoError(t, err)

			desc := d.Describe()
			require.Equal(t, tt.canSign, desc.Features&storage.SignedURLs != 0)
			if tt.canSign {
				require.Equal(t, testAccount, d.(*objectDriver).account.name)
				return
			}

			// The hint names what is missing, and Sign fails.
			require.Contains(t, desc.SigningHint, "Config.Account")

			_, err = d.Sign(t.Context(), &driver.SignRequest{
				Method: http.MethodGet,
				Key:    "a",
				TTL:    time.Hour,
			})
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}
}

// authorizeSource returns a URL with which Azure can read a source. The right to read is in the
// URL, or in a token that authorizeSource also returns.
func TestAuthorizeSource(t *testing.T) {
	const address = "https://acme.blob.core.windows.net/photos/a%20b"
	tests := []struct {
		name              string
		config            Config
		version           string
		wantAddress       string
		wantAuthorization string
	}{
		{name: "anonymous", config: Config{Anonymous: true}, wantAddress: address},
		{
			name:        "a version",
			config:      Config{Anonymous: true},
			version:     "v",
			wantAddress: address + "?versionid=v",
		},
		{
			name:        "a signature",
			config:      Config{SASToken: "?sv=1&sig=a%2Bb"},
			wantAddress: address + "?sv=1&sig=a%2Bb",
		},
		{
			name:        "a version, a signature",
			config:      Config{SASToken: "sv=1&sig=a%2Bb"},
			version:     "v",
			wantAddress: address + "?versionid=v&sv=1&sig=a%2Bb",
		},
		{
			name:              "a token",
			config:            Config{Credential: fixedToken("token")},
			version:           "v",
			wantAddress:       address + "?versionid=v",
			wantAuthorization: "Bearer token",
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newSigner(t, tt.config)
			source := driver.ObjectRef{Bucket: "photos", Key: "a b", Version: tt.version}

			address, authorization, err := d.account.authorizeSource(t.Context(), source)
			require.NoError(t, err)
			require.Equal(t, tt.wantAddress, address)
			require.Equal(t, tt.wantAuthorization, authorization)
		})
	}
}

// With the account's key, authorizeSource returns a signed URL that permits reading the source of a
// copy for sourceTime. It returns no header.
func TestAuthorizeSourceByKey(t *testing.T) {
	start := time.Now()
	d := newSigner(t, Config{})

	signedURL, authorization, err := d.account.authorizeSource(t.Context(), driver.ObjectRef{Bucket: "photos", Key: "a b"})
	require.NoError(t, err)
	require.Empty(t, authorization)

	address, _, _ := strings.Cut(signedURL, "?")
	require.Equal(t, "https://acme.blob.core.windows.net/photos/a%20b", address)
	query := parsedQuery(t, signedURL)
	require.Equal(t, "r", query.Get("sp"))

	// Times of a signature are in whole seconds, so the end may differ by one or two seconds.
	end, err := time.Parse(sasTime, query.Get("se"))
	require.NoError(t, err)
	earliestEnd := start.Add(sourceTime - time.Second)
	latestEnd := time.Now().Add(sourceTime + 2*time.Second)
	require.WithinRange(t, end, earliestEnd, latestEnd)
}

// BenchmarkSign compares signing by the driver with signing by the SDK. The driver must not cost
// more than the SDK.
func BenchmarkSign(b *testing.B) {
	opened, err := NewDriver(b.Context(), Config{Bucket: "photos", Account: testAccount, Key: testKey})
	require.NoError(b, err)
	d := opened.(*objectDriver)
	req := signedDownload(nil)

	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := d.Sign(b.Context(), req)
			require.NoError(b, err)
		}
	})

	b.Run("the SDK's", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := d.container.client.NewBlobClient("a").GetSASURL(sas.BlobPermissions{Read: true},
				time.Now().UTC().Add(time.Hour), nil)
			require.NoError(b, err)
		}
	})
	require.NoError(b, d.Close())
}
