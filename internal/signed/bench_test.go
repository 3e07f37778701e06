package signed_test

import (
	"testing"

	"github.com/omnibucket/storage/internal/signed"
)

func BenchmarkURL(b *testing.B) {
	k, r := keys(b, secret(1)), download()
	r.Version, r.ResponseType, r.ResponseName = "", "", ""
	for b.Loop() {
		if _, err := signed.URL(k, "bucket", r, noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	k := keys(b, secret(1))
	r := signedRequest(b, k, upload())
	for b.Loop() {
		if _, standing := r.open(k, noon); standing != signed.Good {
			b.Fatal(standing)
		}
	}
}
