package gcs

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// signedForm returns a request to sign a form for 2 to 5 bytes. change may be nil.
func signedForm(change func(r *driver.SignRequest)) *driver.SignRequest {
	return wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Method = http.MethodPost
		r.MinSize = 2
		r.MaxSize = 5
		if change != nil {
			change(r)
		}
	})
}

// signForm returns a form with the requested fields and a signed policy, a JSON document that has each field as a
// condition.
func TestSignedUploadFormConditions(t *testing.T) {
	form, err := newSigningDriver(t, Config{}).urls.signForm(t.Context(), signedForm(func(r *driver.SignRequest) {
		r.Key = "a/\u00e9 \U0001f600"
		r.CacheControl = "no-store"
		r.ContentDisposition = "inline"
		r.ContentEncoding = "gzip"
		r.Metadata = map[string]string{"k": "v<&>\u00e9"}
		r.PublicRead = true
	}), signedAt)
	require.NoError(t, err)
	require.Equal(t, "https://storage.googleapis.com/photos/", form.URL)

	// The end of the form's validity is rounded up to a whole second.
	end := signedAt.Truncate(time.Second).Add(time.Hour + time.Second)
	require.Equal(t, end, form.ExpiresAt)

	// The form has these fields beside the policy and its signature.
	policy := form.Fields["policy"]
	signature := form.Fields["x-goog-signature"]
	delete(form.Fields, "policy")
	delete(form.Fields, "x-goog-signature")
	require.Equal(t, map[string]string{
		"key":                 "a/\u00e9 \U0001f600",
		"content-type":        "text/plain",
		"cache-control":       "no-store",
		"content-disposition": "inline",
		"content-encoding":    "gzip",
		"x-goog-meta-k":       "v<&>\u00e9",
		"acl":                 "public-read",
		"x-goog-algorithm":    "GOOG4-RSA-SHA256",
		"x-goog-date":         "20260304T050607Z",
		"x-goog-credential":   testAccount + "/20260304/auto/storage/goog4_request",
	}, form.Fields)

	// The policy has this end, and a condition for each field.
	text, err := base64.StdEncoding.DecodeString(policy)
	require.NoError(t, err)
	require.True(t, isASCII(string(text)))

	var document struct {
		Expiration time.Time
		Conditions []any
	}
	require.NoError(t, json.Unmarshal(text, &document))
	require.Equal(t, end, document.Expiration)

	// signedForm requests a form for 2 to 5 bytes.
	want := []any{[]any{"content-length-range", 2., 5.}, map[string]any{"bucket": "photos"}}
	for name, value := range form.Fields {
		want = append(want, map[string]any{name: value})
	}
	require.ElementsMatch(t, want, document.Conditions, "each field is a condition")

	// The signature is the one that the test's key makes for the policy.
	raw, err := hex.DecodeString(signature)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(policy))
	require.NoError(t, rsa.VerifyPKCS1v15(&testKey().PublicKey, crypto.SHA256, sum[:], raw))
}

// A form uses the signing base URL.
func TestSignedUploadFormBaseURL(t *testing.T) {
	tests := []struct {
		name string
		base string
		want string
	}{
		{
			name: "a host that does not name the bucket",
			base: "https://files.example.com/",
			want: "https://files.example.com/photos/",
		},
		{
			name: "a virtual host of the bucket",
			base: "https://photos.storage.googleapis.com",
			want: "https://photos.storage.googleapis.com/",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := signedForm(func(r *driver.SignRequest) {
				r.BaseURL = tt.base
			})

			form, err := newSigningDriver(t, Config{}).urls.signForm(t.Context(), request, signedAt)

			require.NoError(t, err)
			require.Equal(t, tt.want, form.URL)
		})
	}
}

// Signing a form fails for a request that Google cannot enforce with a form.
func TestSignedUploadFormUnsupported(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *driver.SignRequest)
		want   storage.Code
	}{
		{
			name: "create only",
			change: func(r *driver.SignRequest) {
				r.Condition.Absent = true
			},
			want: storage.Unsupported,
		},
		{
			name: "a checksum",
			change: func(r *driver.SignRequest) {
				r.CRC32C = storage.CRC32C{Sum: 1, Known: true}
			},
			want: storage.Unsupported,
		},
		{
			name: "a language",
			change: func(r *driver.SignRequest) {
				r.ContentLanguage = "de"
			},
			want: storage.Unsupported,
		},
		{
			name: "a storage class",
			change: func(r *driver.SignRequest) {
				r.StorageClass = "NEARLINE"
			},
			want: storage.Unsupported,
		},
		{
			name: "a key that the server fills",
			change: func(r *driver.SignRequest) {
				r.Key = "in/${filename}"
			},
			want: storage.InvalidArgument,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form, err := newSigningDriver(t, Config{}).urls.signForm(t.Context(), signedForm(tt.change),
				signedAt)
			require.Nil(t, form)
			require.ErrorIs(t, err, tt.want)
		})
	}
}
