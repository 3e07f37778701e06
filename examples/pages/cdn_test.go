package pages

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/memstore"
)

// allowGallery gives the browser of a user the three signed cookies of CloudFront. They are only for the pictures
// of this user.
func TestCDNGalleryByCookies(t *testing.T) {
	// The signer reads its private key from a file.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	signer, err := openSigner(file)
	require.NoError(t, err)

	w := httptest.NewRecorder()
	require.NoError(t, allowGallery(w, signer, "42"))
	require.Len(t, w.Result().Cookies(), 3)
	for _, c := range w.Result().Cookies() {
		require.Equal(t, "/users/42/", c.Path)
		require.Equal(t, "example.com", c.Domain)
	}

	// The name of a user cannot lead to the pictures of others.
	require.ErrorIs(t, allowGallery(w, signer, ".."), storage.InvalidArgument)
}

// A bucket that purges needs a token.
func TestOpenPurgedNeedsAToken(t *testing.T) {
	t.Setenv("CLOUDFLARE_API_TOKEN", "")
	_, err := openPurged(t.Context(), "mem://photos", "zone")
	require.ErrorIs(t, err, storage.InvalidArgument)
	t.Setenv("CLOUDFLARE_API_TOKEN", "token")
	b, err := openPurged(t.Context(), "mem://photos", "zone")
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))
}
