package gcs

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// The header and query of a signed URL have the values of native options.
func TestSignedURLNativeOptions(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	bucket := engine.New(newSigningDriver(t, Config{UserProject: "payer-1", KMSKey: kmsKey}))
	expires := time.Now().Add(time.Hour).Truncate(time.Second).UTC()

	signedURL, err := bucket.SignedUploadURL(t.Context(), "a",
		storage.WithRetention(expires, storage.Compliance), WithCustomTime(when),
		WithPredefinedACL("bucketOwnerRead"), WithHeader("X-Goog-Custom-Audit-job", "nightly"))
	require.NoError(t, err)
	require.Equal(t, http.Header{
		"X-Goog-Object-Lock-Mode":              {"COMPLIANCE"},
		"X-Goog-Object-Lock-Retain-Until-Date": {expires.Format(time.RFC3339)},
		"X-Goog-Custom-Time":                   {"2026-03-04T05:06:07Z"},
		"X-Goog-Acl":                           {"bucket-owner-read"},
		"X-Goog-Encryption-Kms-Key-Name":       {kmsKey},
		"X-Goog-Custom-Audit-Job":              {"nightly"},
	}, signedURL.Header)

	address, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "payer-1", address.Query().Get("userProject"))

	names := strings.Split(address.Query().Get("X-Goog-SignedHeaders"), ";")
	require.Subset(t, names,
		[]string{"x-goog-object-lock-mode", "x-goog-object-lock-retain-until-date", "x-goog-custom-time", "x-goog-acl", "x-goog-encryption-kms-key-name", "x-goog-custom-audit-job"})

	key := WithCustomerKey(decodeKey(t, keyText))
	wanted := http.Header{
		"X-Goog-Encryption-Algorithm":  {"AES256"},
		"X-Goog-Encryption-Key":        {keyText},
		"X-Goog-Encryption-Key-Sha256": {keySum},
	}

	signedURL, err = bucket.SignedUploadURL(t.Context(), "a", key)
	require.NoError(t, err)
	require.Equal(t, wanted, signedURL.Header)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", signedURL, signedURL, signedURL), keyText)

	signedURL, err = bucket.SignedDownloadURL(t.Context(), "a", key, WithParameter("x", "y"))
	require.NoError(t, err)
	require.Equal(t, wanted, signedURL.Header)
	require.Contains(t, signedURL.URL, "userProject=payer-1")
	require.Contains(t, signedURL.URL, "x=y")
	require.NotContains(t, signedURL.URL, url.QueryEscape(keyText))
}

// Signing fails for a native option that a signed URL cannot express.
func TestSignedURLNativeOptionsRefused(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{}))
	for name, o := range map[string]storage.SignedUploadOption{
		"tags":                storage.WithTags(map[string]string{"k": "v"}),
		"a legal hold":        storage.WithLegalHold(),
		"an event-based hold": WithEventBasedHold(),
		"a list": WithAttrs(func(a *gcs.ObjectAttrs) {
			a.ACL = []gcs.ACLRule{{Entity: "allUsers", Role: gcs.RoleReader}}
		}),
		"an MD5": WithAttrs(func(a *gcs.ObjectAttrs) {
			a.MD5 = make([]byte, 16)
		}),
	} {
		_, err := bucket.SignedUploadURL(t.Context(), "a", o)
		requireHint(t, err, name)
		_, err = storage.SignedUploadForm(t.Context(), bucket, "a", 0, 9, o)
		requireHint(t, err, name)
	}

	for name, o := range map[string]storage.SignedUploadOption{
		"a retention":      storage.WithRetention(time.Now().Add(time.Hour), storage.Governance),
		"a KMS key":        WithKMSKey(kmsKey),
		"a customer's key": WithCustomerKey(make([]byte, 32)),
		"a custom time":    WithCustomTime(time.Now()),
		"a header":         WithHeader("a", "b"),
		"a parameter":      WithParameter("a", "b"),
		"a language": WithAttrs(func(a *gcs.ObjectAttrs) {
			a.ContentLanguage = "de"
		}),
	} {
		_, err := storage.SignedUploadForm(t.Context(), bucket, "a", 0, 9, o)
		requireHint(t, err, name)
	}

	for _, c := range []Config{{KMSKey: kmsKey}, {UserProject: "payer"}} {
		_, err := storage.SignedUploadForm(t.Context(), engine.New(newSigningDriver(t, c)), "a", 0, 9)
		requireHint(t, err, "Config")
	}

	form, err := storage.SignedUploadForm(t.Context(), bucket, "a", 0, 9, WithPredefinedACL("authenticatedRead"), WithAttrs(func(a *gcs.ObjectAttrs) {
		a.Metadata["k"] = "v"
	}))
	require.NoError(t, err)
	require.Equal(t, "authenticated-read", form.Fields["acl"])
	require.Equal(t, "v", form.Fields["x-goog-meta-k"])
}

// requireHint requires that err is Unsupported and has a hint.
func requireHint(t *testing.T, err error, name string) {
	t.Helper()
	var e *storage.Error
	require.ErrorAs(t, err, &e, name)
	require.Equal(t, storage.Unsupported, e.Code, "%s: %v", name, err)
	require.NotEmpty(t, e.Hint, name)
}
