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
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()

	signedURL, err := bucket.SignedUploadURL(t.Context(), "a",
		storage.WithRetention(retainUntil, storage.Compliance), WithCustomTime(when),
		WithPredefinedACL("bucketOwnerRead"), WithHeader("X-Goog-Custom-Audit-job", "nightly"))
	require.NoError(t, err)
	require.Equal(t, http.Header{
		"X-Goog-Object-Lock-Mode":              {"COMPLIANCE"},
		"X-Goog-Object-Lock-Retain-Until-Date": {retainUntil.Format(time.RFC3339)},
		"X-Goog-Custom-Time":                   {"2026-03-04T05:06:07Z"},
		"X-Goog-Acl":                           {"bucket-owner-read"},
		"X-Goog-Encryption-Kms-Key-Name":       {kmsKey},
		"X-Goog-Custom-Audit-Job":              {"nightly"},
	}, signedURL.Header)

	address, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "payer-1", address.Query().Get("userProject"))

	signedHeaders := strings.Split(address.Query().Get("X-Goog-SignedHeaders"), ";")
	for name := range signedURL.Header {
		require.Contains(t, signedHeaders, strings.ToLower(name))
	}
}

// customerKeyHeader has the headers of a request with the customer's key keyText.
var customerKeyHeader = http.Header{
	"X-Goog-Encryption-Algorithm":  {"AES256"},
	"X-Goog-Encryption-Key":        {keyText},
	"X-Goog-Encryption-Key-Sha256": {keySum},
}

// A signed upload with a customer's key has the key in the header that its client must send, and nowhere else.
func TestSignedUploadURLHasNoCustomerKey(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{UserProject: "payer-1", KMSKey: kmsKey}))

	signedURL, err := bucket.SignedUploadURL(t.Context(), "a", WithCustomerKey(decodeKey(t, keyText)))

	require.NoError(t, err)
	require.Equal(t, customerKeyHeader, signedURL.Header)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", signedURL, signedURL, signedURL), keyText)
}

// A signed download with a customer's key has the key in the header that its client must send, and nowhere else.
func TestSignedDownloadURLHasNoCustomerKey(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{UserProject: "payer-1", KMSKey: kmsKey}))
	key := WithCustomerKey(decodeKey(t, keyText))

	signedURL, err := bucket.SignedDownloadURL(t.Context(), "a", key, WithParameter("x", "y"))

	require.NoError(t, err)
	require.Equal(t, customerKeyHeader, signedURL.Header)
	require.Contains(t, signedURL.URL, "userProject=payer-1")
	require.Contains(t, signedURL.URL, "x=y")
	require.NotContains(t, signedURL.URL, url.QueryEscape(keyText))
}

// Signing a URL or a form fails for an option that neither can express.
func TestSignedURLNativeOptionsRefused(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{}))
	withACL := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.ACL = []gcs.ACLRule{{Entity: "allUsers", Role: gcs.RoleReader}}
	})
	withMD5 := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.MD5 = make([]byte, 16)
	})
	tests := []struct {
		name   string
		option storage.SignedUploadOption
	}{
		{name: "tags", option: storage.WithTags(map[string]string{"k": "v"})},
		{name: "a legal hold", option: storage.WithLegalHold()},
		{name: "an event-based hold", option: WithEventBasedHold()},
		{name: "an access list", option: withACL},
		{name: "an MD5", option: withMD5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const minSize, maxSize = 0, 9 // of the form
			_, urlErr := bucket.SignedUploadURL(t.Context(), "a", tt.option)
			_, formErr := storage.SignedUploadForm(t.Context(), bucket, "a", minSize, maxSize, tt.option)

			// Both errors are Unsupported.
			requireHint(t, urlErr)
			requireHint(t, formErr)
		})
	}
}

// Signing a form fails for a native option that a signed URL can express, but a form cannot.
func TestSignedFormNativeOptionsRefused(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{}))
	withLanguage := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.ContentLanguage = "de"
	})
	tests := []struct {
		name   string
		option storage.SignedUploadOption
	}{
		{name: "a retention", option: storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)},
		{name: "a KMS key", option: WithKMSKey(kmsKey)},
		{name: "a customer's key", option: WithCustomerKey(make([]byte, 32))},
		{name: "a custom time", option: WithCustomTime(time.Now())},
		{name: "a header", option: WithHeader("a", "b")},
		{name: "a parameter", option: WithParameter("a", "b")},
		{name: "a language", option: withLanguage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const minSize, maxSize = 0, 9
			_, err := storage.SignedUploadForm(t.Context(), bucket, "a", minSize, maxSize, tt.option)
			requireHint(t, err) // of a call that is Unsupported
		})
	}
}

// Signing a form fails with a Config that the form cannot express.
func TestSignedFormConfigRefused(t *testing.T) {
	tests := []struct {
		name   string
		config Config
	}{
		{name: "a KMS key", config: Config{KMSKey: kmsKey}},
		{name: "a project that pays", config: Config{UserProject: "payer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := engine.New(newSigningDriver(t, tt.config))
			const minSize, maxSize = 0, 9
			_, err := storage.SignedUploadForm(t.Context(), bucket, "a", minSize, maxSize)
			requireHint(t, err) // of a call that is Unsupported
		})
	}
}

// A form has the access list and the metadata of native options.
func TestSignedFormNativeOptions(t *testing.T) {
	bucket := engine.New(newSigningDriver(t, Config{}))
	withMetadata := WithAttrs(func(a *gcs.ObjectAttrs) {
		a.Metadata["k"] = "v"
	})

	form, err := storage.SignedUploadForm(t.Context(), bucket, "a", 0, 9,
		WithPredefinedACL("authenticatedRead"), withMetadata)
	require.NoError(t, err)
	require.Equal(t, "authenticated-read", form.Fields["acl"])
	require.Equal(t, "v", form.Fields["x-goog-meta-k"])
}

// requireHint requires that err is Unsupported and has a hint.
func requireHint(t *testing.T, err error) {
	t.Helper()
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, storage.Unsupported, storageErr.Code, "%v", err)
	require.NotEmpty(t, storageErr.Hint)
}
