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

// A gallery is read by cookies.
func TestCDNGalleryByCookies(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	text, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text}), 0o600))
	signer, err := openSigner(file)
	require.NoError(t, err)
	w := httptest.NewRecorder()

	require.NoError(t, allowGallery(w, signer, "42"))
	require.Len(t, w.Result().Cookies(), 3)
	for _, c := range w.Result().Cookies() {
		require.Equal(t, "/users/42/", c.Path)
		require.Equal(t, "example.com", c.Domain)
	}
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
