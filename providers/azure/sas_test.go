package azure

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
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

// signedAt is the time of all signatures in these tests.
var signedAt = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

const (
	testAccount = "acme"
	testKey     = "c2VjcmV0LXNlY3JldC1zZWNyZXQ=" // secret-secret-secret
)

// signedKeys has a key with each kind of special character that must be escaped.
var signedKeys = append(slices.Clone(wiretest.Keys), "brackets[1]{2}", "a=b&sig=x&se=2000-01-01",
	strings.Repeat("abcd/", 204)+"abcd")

// testGrant returns the grant of a download of "photos/a" at signedAt for an hour. change may be nil.
func testGrant(change func(g *grant)) *grant {
	second := signedAt.Truncate(time.Second)
	g := &grant{
		container:   "photos",
		key:         "a",
		permissions: mayRead,
		start:       second.Add(-clockSkew).Format(sasTime),
		expiry:      second.Add(time.Hour).Format(sasTime),
	}
	if change != nil {
		change(g)
	}
	return g
}

// grants has grants that the SDK can sign too. None is for a version, because the SDK does not sign
// the version's id, and Azure refuses such a signature.
func grants() map[string]*grant {
	all := map[string]*grant{
		"a download": testGrant(nil),
		"an upload": testGrant(func(g *grant) {
			g.permissions = mayOverwrite
		}),
		"a create-only upload": testGrant(func(g *grant) {
			g.permissions = mayCreate
		}),
		"without TLS": testGrant(func(g *grant) {
			g.plainHTTP = true
		}),
		"another container": testGrant(func(g *grant) {
			g.container = "$root"
		}),
		"a type of its own": testGrant(func(g *grant) {
			g.mediaType = "image/svg+xml"
		}),
		"a name of its own": testGrant(func(g *grant) {
			g.disposition = `attachment; filename="a b_.png"; filename*=UTF-8''a%20b%C3%A9.png`
		}),
		"a Cache-Control": testGrant(func(g *grant) {
			g.cacheControl = "private, max-age=60"
		}),
		"a removal": testGrant(func(g *grant) {
			g.permissions = mayRemove
		}),
		"an encryption scope": testGrant(func(g *grant) {
			g.permissions = mayOverwrite
			g.scope = "tenant-1"
		}),
		"a container": testGrant(func(g *grant) {
			g.key = ""
			g.isFolder = true
			g.permissions = "rcwdl"
		}),
		"a directory": testGrant(func(g *grant) {
			g.key = "users/a b'é"
			g.isFolder = true
			g.permissions = "rl"
		}),
		"both, and another end": testGrant(func(g *grant) {
			g.mediaType = "a/b"
			g.disposition = "inline"
			g.expiry = signedAt.Add(2 * time.Hour).Format(sasTime)
		}),
	}
	for _, key := range signedKeys {
		all[fmt.Sprintf("key %.20q of %d", key, len(key))] = testGrant(func(g *grant) {
			g.key = key
		})
	}
	return all
}

// parseSASTime parses a time of a signature.
func parseSASTime(text string) time.Time {
	// A time that cannot be parsed becomes the zero time. The signature then differs from the query's.
	t, _ := time.Parse(sasTime, text)
	return t
}

// sdkValues returns the grant as the SDK signs it.
func sdkValues(g *grant) sas.BlobSignatureValues {
	blob := g.key
	directory := ""
	if g.isFolder {
		blob = ""
		directory = g.key
	}
	return sas.BlobSignatureValues{
		Version:            sasVersion,
		Protocol:           sas.Protocol(g.protocol()),
		StartTime:          parseSASTime(g.start),
		ExpiryTime:         parseSASTime(g.expiry),
		Permissions:        g.permissions,
		ContainerName:      g.container,
		BlobName:           blob,
		Directory:          directory,
		ContentDisposition: g.disposition,
		ContentType:        g.mediaType,
		CacheControl:       g.cacheControl,
		EncryptionScope:    g.scope,
	}
}

// parsedQuery parses text, which is a query or a URL with a query.
func parsedQuery(t *testing.T, text string) url.Values {
	t.Helper()
	_, query, ok := strings.Cut(text, "?")
	if !ok {
		query = text
	}
	values, err := url.ParseQuery(query)
	require.NoError(t, err)
	return values
}

// The driver and the SDK make the same signature with the account key.
func TestAccountKeySignatureMatchesSDK(t *testing.T) {
	credential, err := service.NewSharedKeyCredential(testAccount, testKey)
	require.NoError(t, err)
	for name, g := range grants() {
		t.Run(name, func(t *testing.T) {
			want, err := sdkValues(g).SignWithSharedKey(credential)
			require.NoError(t, err)
			got := newSigningKey(testAccount, testKey, "").sign("https://acme.example", g)
			require.Equal(t, parsedQuery(t, want.Encode()), parsedQuery(t, got))
		})
	}
}

// documentedService lists the fields of the text that is signed for a service SAS, of version
// 2020-12-06 and later, in the words of
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
var documentedService = []string{
	"signedPermissions", "signedStart", "signedExpiry", "canonicalizedResource", "signedIdentifier", "signedIP",
	"signedProtocol", "signedVersion", "signedResource", "signedSnapshotTime", "signedEncryptionScope",
	"rscc", "rscd", "rsce", "rscl", "rsct",
}

// documentedDelegation lists the fields of the text that is signed for a user delegation SAS, of version 2026-04-06 and
// later, in the words of https://learn.microsoft.com/rest/api/storageservices/create-user-delegation-sas
var documentedDelegation = []string{
	"signedPermissions", "signedStart", "signedExpiry", "canonicalizedResource",
	"signedKeyObjectId", "signedKeyTenantId", "signedKeyStart", "signedKeyExpiry", "signedKeyService", "signedKeyVersion",
	"signedAuthorizedUserObjectId", "signedUnauthorizedUserObjectId", "signedCorrelationId",
	"signedKeyDelegatedUserTenantId", "signedDelegatedUserObjectId",
	"signedIP", "signedProtocol", "signedVersion", "signedResource", "signedSnapshotTime", "signedEncryptionScope",
	"canonicalizedSignedRequestHeaders", "canonicalizedSignedRequestQueryParameters",
	"rscc", "rscd", "rsce", "rscl", "rsct",
}

// olderDelegationFields returns the fields that are signed for a user delegation SAS of an older
// version, from 2020-12-06 on and before 2025-07-05.
func olderDelegationFields() []string {
	newerFields := []string{
		"signedKeyDelegatedUserTenantId",
		"signedDelegatedUserObjectId",
		"canonicalizedSignedRequestHeaders",
		"canonicalizedSignedRequestQueryParameters",
	}
	return slices.DeleteFunc(slices.Clone(documentedDelegation), func(field string) bool {
		return slices.Contains(newerFields, field)
	})
}

// testUserKey returns a user delegation key that is valid at signedAt.
func testUserKey() *signingKey {
	return &signingKey{account: testAccount, secret: []byte("delegated"), delegated: &delegation{
		objectID: "object",
		tenantID: "tenant",
		start:    "2026-03-04T04:51:07Z",
		end:      "2026-03-11T04:51:07Z",
		service:  "b",
		version:  "2026-12-06",
	}}
}

// The text that is signed has the fields that Azure documents, in the documented order. The fields depend on the kind
// of key and on the version of the service.
func TestStringToSign(t *testing.T) {
	granted := testGrant(func(g *grant) {
		g.key = "a b/+%é"
		g.permissions = "r"
		g.disposition = "inline"
		g.mediaType = "image/png"
	})
	fields := map[string]string{
		"signedPermissions":     "r",
		"signedStart":           "2026-03-04T04:51:07Z",
		"signedExpiry":          "2026-03-04T06:06:07Z",
		"canonicalizedResource": "/blob/acme/photos/a b/+%é",
		"signedProtocol":        "https",
		"signedVersion":         "2026-12-06",
		"signedResource":        "b",
		"rscd":                  "inline",
		"rsct":                  "image/png",

		// These fields are signed only with a user delegation key.
		"signedKeyObjectId": "object",
		"signedKeyTenantId": "tenant",
		"signedKeyStart":    "2026-03-04T04:51:07Z",
		"signedKeyExpiry":   "2026-03-11T04:51:07Z",
		"signedKeyService":  "b",
		"signedKeyVersion":  "2026-12-06",
	}

	// The same grant for a version of the blob has two other fields.
	versionGrant := *granted
	versionGrant.version = "2026-03-01T00:00:00.1234567Z"
	versionFields := maps.Clone(fields)
	versionFields["signedResource"] = "bv"
	versionFields["signedSnapshotTime"] = versionGrant.version

	// For older services, fewer fields are signed.
	olderFields := maps.Clone(fields)
	olderFields["signedVersion"] = "2019-07-07"
	olderOrder := slices.DeleteFunc(slices.Clone(documentedService), func(field string) bool {
		return field == "signedEncryptionScope"
	})
	olderUserKey := testUserKey()
	olderUserKey.version = olderDelegation
	olderUserFields := maps.Clone(fields)
	olderUserFields["signedVersion"] = olderDelegation

	tests := []struct {
		name   string
		key    *signingKey
		grant  *grant
		order  []string          // names of the fields, as documented
		fields map[string]string // their values, "" if missing
	}{
		{
			name:   "account key",
			key:    newSigningKey(testAccount, testKey, ""),
			grant:  granted,
			order:  documentedService,
			fields: fields,
		},
		{
			name:   "account key, older service",
			key:    newSigningKey(testAccount, testKey, "2019-07-07"),
			grant:  granted,
			order:  olderOrder,
			fields: olderFields,
		},
		{
			name:   "user delegation key",
			key:    testUserKey(),
			grant:  granted,
			order:  documentedDelegation,
			fields: fields,
		},
		{
			name:   "user delegation key, older service",
			key:    olderUserKey,
			grant:  granted,
			order:  olderDelegationFields(),
			fields: olderUserFields,
		},
		{
			name:   "account key, version of a blob",
			key:    newSigningKey(testAccount, testKey, ""),
			grant:  &versionGrant,
			order:  documentedService,
			fields: versionFields,
		},
		{
			name:   "user delegation key, version of a blob",
			key:    testUserKey(),
			grant:  &versionGrant,
			order:  documentedDelegation,
			fields: versionFields,
		},
		{
			name: "account key, upload without TLS",
			key:  newSigningKey(testAccount, testKey, ""),
			grant: testGrant(func(g *grant) {
				g.permissions = mayOverwrite
				g.plainHTTP = true
			}),
			order: documentedService,
			fields: map[string]string{
				"signedPermissions":     "cw",
				"signedStart":           "2026-03-04T04:51:07Z",
				"signedExpiry":          "2026-03-04T06:06:07Z",
				"canonicalizedResource": "/blob/acme/photos/a",
				"signedProtocol":        "https,http",
				"signedVersion":         "2026-12-06",
				"signedResource":        "b",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := tt.key.appendFields(nil, tt.grant)
			require.Len(t, lines, len(tt.order))
			for i, field := range tt.order {
				require.Equal(t, tt.fields[field], lines[i], field)
			}
		})
	}
}

// The query of a signed URL has each field that was signed and is not empty, because Azure verifies
// the signature with the fields in the query.
func TestSignedQueryHasAllFields(t *testing.T) {
	// The grant has the optional fields, too.
	g := testGrant(func(g *grant) {
		g.version = "2026-03-01T00:00:00.1234567Z"
		g.disposition = "inline"
		g.mediaType = "image/png"
	})

	got := parsedQuery(t, testUserKey().sign("https://acme.example", g))

	// Only the length of the signature is checked here.
	signature, err := base64.StdEncoding.DecodeString(got.Get("sig"))
	require.NoError(t, err)
	require.Len(t, signature, sha256.Size)
	got.Del("sig")

	require.Equal(t, url.Values{
		"sv":        {"2026-12-06"},
		"sr":        {"bv"},
		"sp":        {"r"},
		"st":        {"2026-03-04T04:51:07Z"},
		"se":        {"2026-03-04T06:06:07Z"},
		"spr":       {"https"},
		"versionid": {"2026-03-01T00:00:00.1234567Z"},
		"rscd":      {"inline"},
		"rsct":      {"image/png"},
		"skoid":     {"object"},
		"sktid":     {"tenant"},
		"skt":       {"2026-03-04T04:51:07Z"},
		"ske":       {"2026-03-11T04:51:07Z"},
		"sks":       {"b"},
		"skv":       {"2026-12-06"},
	}, got)
}

// Requests and signatures have the version of Config.APIVersion.
func TestConfigAPIVersion(t *testing.T) {
	server := newCannedServer(t, objectReply("x"))
	const version = "2019-07-07"
	d := server.openDriver(t, func(c *Config) {
		c.APIVersion = version
	})

	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.Equal(t, version, server.Last(t).Header.Get("X-Ms-Version"))

	req := &driver.SignRequest{Method: http.MethodGet, Key: "a", TTL: time.Hour}
	signedURL, err := d.Sign(t.Context(), req)
	require.NoError(t, err)
	require.Contains(t, signedURL.URL, "sv="+version)
}

// NewDriver refuses a Config.APIVersion that it does not know.
func TestConfigAPIVersionUnknown(t *testing.T) {
	for _, version := range []string{"latest", "2015-04-05", "2999-01-01", "2019-7-7"} {
		_, err := NewDriver(t.Context(), Config{
			Bucket:     "photos",
			Endpoint:   emulatorEndpoint,
			APIVersion: version,
		})
		require.ErrorIs(t, err, storage.InvalidArgument, version)
	}
}

// The query of a signed URL is escaped so that every HTTP client sends it unchanged.
func TestSignedQueryEscaped(t *testing.T) {
	g := testGrant(func(g *grant) {
		g.disposition = `attachment; filename="a+b&c=d.png"`
	})

	text := newSigningKey(testAccount, testKey, "").sign("https://acme.example", g)
	require.NotContains(t, text, "+")
	require.Contains(t, text, "rscd=attachment%3B%20filename%3D%22a%2Bb%26c%3Dd.png%22")
}

// The signed fields depend on the version of the SAS, which must be that of the SDK. If this test
// fails after an update of the SDK, read Azure's documentation of the new version.
func TestSASVersionMatchesSDK(t *testing.T) {
	require.Equal(t, sas.Version, sasVersion)
}

// The driver makes fewer allocations than the SDK when it signs.
func TestSignAllocations(t *testing.T) {
	credential, err := service.NewSharedKeyCredential(testAccount, testKey)
	require.NoError(t, err)
	key := newSigningKey(testAccount, testKey, "")
	g := testGrant(nil)

	ours := testing.AllocsPerRun(100, func() {
		_ = key.sign("https://acme.example", g)
	})

	ofSDK := testing.AllocsPerRun(100, func() {
		q, err := sdkValues(g).SignWithSharedKey(credential)
		if err == nil {
			_ = q.Encode()
		}
	})
	require.Less(t, ours, ofSDK)
}

// BenchmarkSAS compares a signature by the driver with one by the SDK.
func BenchmarkSAS(b *testing.B) {
	credential, err := service.NewSharedKeyCredential(testAccount, testKey)
	require.NoError(b, err)
	key := newSigningKey(testAccount, testKey, "")
	g := testGrant(nil)

	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = key.sign("https://acme.example", g)
		}
	})

	b.Run("the SDK's", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			q, err := sdkValues(g).SignWithSharedKey(credential)
			require.NoError(b, err)
			_ = q.Encode()
		}
	})
}
