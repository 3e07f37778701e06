package gcs

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// A call with a customer's key fails with InvalidArgument unless the endpoint has TLS.
func TestWithCustomerKeyNeedsTLS(t *testing.T) {
	bucket, err := Open(t.Context(), Config{
		Bucket:    "photos",
		Endpoint:  "http://files.example.com",
		Anonymous: true,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

	_, err = bucket.Attrs(t.Context(), "a", WithCustomerKey(decodeKey(t, keyText)))

	require.ErrorIs(t, err, storage.InvalidArgument)
	require.ErrorContains(t, err, "WithCustomerKey needs an address with https")
}

// Signing with a customer's key fails with InvalidArgument unless the signing base URL has TLS.
func TestSignWithCustomerKeyNeedsTLS(t *testing.T) {
	key := WithCustomerKey(decodeKey(t, keyText))
	d := newSigningDriver(t, Config{})

	_, err := engine.New(d,
		storage.WithSigningBaseURL("http://files.example.com")).SignedDownloadURL(t.Context(), "a", key)
	require.ErrorIs(t, err, storage.InvalidArgument)
	_, err = engine.New(d,
		storage.WithSigningBaseURL("https://files.example.com")).SignedDownloadURL(t.Context(), "a", key)
	require.NoError(t, err)
}

// An error shows no customer's key, even if a debugging proxy repeats the request in its response.
func TestErrorsDoNotRepeatRequest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(server.Close)
	bucket, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: server.URL, Anonymous: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	key := WithCustomerKey(decodeKey(t, keyText))

	_, err = bucket.Attrs(t.Context(), "a", key)
	require.Error(t, err)
	require.NotContains(t, err.Error(), keyText)

	_, err = bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)
	require.Error(t, err)
	require.NotContains(t, err.Error(), keyText)

	r, err := bucket.Download(t.Context(), "a", key)
	if err == nil {
		_, err = io.ReadAll(r)
	}
	require.Error(t, err)
	require.NotContains(t, err.Error(), keyText)
}
