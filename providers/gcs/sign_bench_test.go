package gcs

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
)

// BenchmarkSign compares signing a URL with one RSA signature, which is the minimum, and with
// signing by the SDK.
func BenchmarkSign(b *testing.B) {
	d := newSigningDriver(b, Config{})
	b.Run("driver", func(b *testing.B) {
		b.ReportAllocs()
		r := signedDownload(nil)
		for b.Loop() {
			_, err := d.Sign(b.Context(), r)
			require.NoError(b, err)
		}
	})

	b.Run("driver but the RSA", func(b *testing.B) {
		b.ReportAllocs()
		rest := newSigningDriver(b, Config{})
		r := signedDownload(nil)
		var s signer = signsNothing{*rest.account.signerFinder.cached.Load()}
		rest.account.signerFinder.cached.Store(&s)
		for b.Loop() {
			_, err := rest.Sign(b.Context(), r)
			require.NoError(b, err)
		}
	})

	b.Run("rsa", func(b *testing.B) {
		b.ReportAllocs()
		key := testKey()
		sum := sha256.Sum256([]byte("text"))
		for b.Loop() {
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			require.NoError(b, err)
		}
	})

	b.Run("sdk", func(b *testing.B) {
		b.ReportAllocs()
		key := []byte(testKeyPEM())
		for b.Loop() {
			_, err := gcs.SignedURL("photos", "a", &gcs.SignedURLOptions{
				GoogleAccessID: testAccount,
				PrivateKey:     key,
				Method:         "GET",
				Scheme:         gcs.SigningSchemeV4,
				Expires:        time.Now().Add(time.Hour),
			})
			require.NoError(b, err)
		}
	})
}

// A signsNothing is a signer without the cost of RSA.
type signsNothing struct{ signer }

// sign returns as many bytes as an RSA signature has.
func (signsNothing) sign(context.Context, []byte) ([]byte, error) { return make([]byte, 256), nil }
