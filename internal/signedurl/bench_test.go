package signedurl_test

import (
	"testing"

	"github.com/omnibucket/storage/internal/signedurl"
)

// BenchmarkSignURL signs the URL of a download.
func BenchmarkSignURL(b *testing.B) {
	k := newKeys(b, newSecret(1))
	r := downloadRequest()
	r.Version = ""
	r.ResponseType = ""
	r.ResponseName = ""
	for b.Loop() {
		if _, err := signedurl.SignURL(k, "bucket", r, noon); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyURL verifies the signature of an upload.
func BenchmarkVerifyURL(b *testing.B) {
	k := newKeys(b, newSecret(1))
	r := signedRequest(b, k, uploadRequest())
	for b.Loop() {
		if _, status := r.verify(k, noon); status != signedurl.Valid {
			b.Fatal(status)
		}
	}
}
