package s3_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/wiretest"
)

func TestSignedAddressesWorkFromCurl(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			for _, key := range wiretest.CurlKeys {
				signed, err := b.SignedUploadURL(t.Context(), key, storage.WithSize(4), storage.IfAbsent(),
					storage.WithContentType("text/x-test"), storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"k": "caf\u00e9"}))
				require.NoError(t, err)
				require.Equal(t, 200, wiretest.Curl(t, signed, "text").Status, "%q", key)
				require.NotEqual(t, 200, wiretest.Curl(t, signed, "text").Status, "it creates once")
				require.NotEqual(t, 200, wiretest.Curl(t, signed, "longer").Status)
				attrs, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/x-test", attrs.ContentType)
				require.Equal(t, "no-store", attrs.CacheControl)
				require.Equal(t, map[string]string{"k": "caf\u00e9"}, attrs.Metadata)

				signed, err = b.SignedDownloadURL(t.Context(), key)
				require.NoError(t, err)
				got := wiretest.Curl(t, signed, "")
				require.Equal(t, 200, got.Status, "%q", key)
				require.Equal(t, "text", got.Body)
			}
		})
	}
}

func TestASignedEmptyBodyIsEmpty(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithSize(0))
			require.NoError(t, err)
			require.GreaterOrEqual(t, wiretest.NetHTTP(t, signed, "x").Status, 400)
			_, err = b.Attrs(t.Context(), "a")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.Equal(t, http.StatusOK, wiretest.NetHTTP(t, signed, "").Status)
		})
	}
}

func TestASignedChecksumIsHeld(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithCRC32C(0xE3069283)) // of "123456789"
			require.NoError(t, err)
			require.GreaterOrEqual(t, wiretest.NetHTTP(t, signed, "987654321").Status, 400)
			require.Equal(t, http.StatusOK, wiretest.NetHTTP(t, signed, "123456789").Status)
			attrs, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.NotNil(t, attrs.CRC32C)
			require.Equal(t, uint32(0xE3069283), *attrs.CRC32C)
		})
	}
}
