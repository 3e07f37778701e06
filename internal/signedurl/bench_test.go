package signedurl_test

import (
	"testing"

	"github.com/omnibucket/storage/internal/signedurl"
)

// BenchmarkSignURL signs the URL of a download.
func BenchmarkSignURL(b *testing.B) {
	k := newKeys(b, secret(1))
	r := download()
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
	k := newKeys(b, secret(1))
	r := signedRequest(b, k, upload())
	for b.Loop() {
		if _, status := r.verify(k, noon); status != signedurl.Valid {
			b.Fatal(status)
		}
	}
}
