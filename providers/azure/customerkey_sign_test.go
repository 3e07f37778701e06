package azure

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// A URL with a customer's key is signed only for an address with TLS.
func TestSignedURLWithCustomerKeyNeedsTLS(t *testing.T) {
	d := newSigner(t, Config{})
	key := WithCustomerKey(decodeKey(t, firstKey))

	plain := engine.New(d, storage.WithSigningBaseURL("http://files.example.com"))
	_, err := plain.SignedDownloadURL(t.Context(), "a", key)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "WithCustomerKey needs an address with https")

	encrypted := engine.New(d, storage.WithSigningBaseURL("https://files.example.com"))
	_, err = encrypted.SignedDownloadURL(t.Context(), "a", key)
	require.NoError(t, err)
}
