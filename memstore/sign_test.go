package memstore_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/signedurl"
	"github.com/omnibucket/storage/memstore"
)

const base = "https://files.example.com/b"

// serveBucket returns a bucket that signs addresses, and what serves these.
func serveBucket(t *testing.T, c memstore.Config) (storage.Bucket, signedurl.ServedBucket) {
	t.Helper()
	b := engine.New(memstore.NewDriver(c), storage.WithSigningBaseURL(base))
	o, ok := signedurl.OriginOf(b)
	require.True(t, ok)
	return b, o
}

func signDownload(t *testing.T, b storage.Bucket) string {
	t.Helper()
	signedURL, err := b.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	return signedURL.URL
}

func secret(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

// Signing fails without a signing base URL.
func TestSignedURLNeedsBase(t *testing.T) {
	b := memstore.New()
	_, err := b.SignedDownloadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "WithSigningBaseURL")
	require.False(t, storage.Supports(b, storage.SignedURLs))

	_, err = newDriver().Sign(t.Context(), &driver.SignRequest{Method: "GET", Key: "a", TTL: time.Hour})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = newDriver().SignForm(t.Context(), &driver.SignRequest{Method: "POST", Key: "a", TTL: time.Hour})
	require.ErrorIs(t, err, storage.Unsupported)
}

// A signed URL has its expiry.
func TestSignedURLHasExpiry(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 1, time.UTC)
	b, o := serveBucket(t, memstore.Config{Now: func() time.Time { return now }})
	signedURL, err := b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Minute))
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, 5, 1, 12, 1, 1, 0, time.UTC), signedURL.ExpiresAt,
		"rounded up to a whole second")
	require.Equal(t, now, o.Now(), "the handler uses the same clock")
}

// Each bucket has its own signing key, unless Config.SigningKeys sets one.
func TestSigningKeyOfEachBucket(t *testing.T) {
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	a, _ := serveBucket(t, memstore.Config{Now: now})
	b, _ := serveBucket(t, memstore.Config{Now: now})
	require.Equal(t, signDownload(t, a), signDownload(t, a))
	require.NotEqual(t, signDownload(t, a), signDownload(t, b),
		"two buckets with one name have different keys")

	config := memstore.Config{Now: now, SigningKeys: memstore.SigningKeys{secret(1)}}
	a, _ = serveBucket(t, config)
	b, _ = serveBucket(t, config)
	require.Equal(t, signDownload(t, a), signDownload(t, b))
}

// Buckets opened by address share one signing key.
func TestSigningKeyOfAddress(t *testing.T) {
	key := func(address string) string {
		b, err := storage.Open(t.Context(), address, storage.WithSigningBaseURL(base))
		require.NoError(t, err)
		form, err := storage.SignedUploadForm(t.Context(), b, "a", 0, 1)
		require.NoError(t, err)
		return form.Fields["ob-key"]
	}
	require.Equal(t, key("mem://signed"), key("mem://also-signed"))
}

// Signing fails with InvalidArgument if the signing key is too short, and the error does not show it.
func TestSigningKeyMustBeLong(t *testing.T) {
	b, _ := serveBucket(t,
		memstore.Config{SigningKeys: memstore.SigningKeys{secret(1), []byte("short and secret")}})
	_, err := b.SignedDownloadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), "short and secret")
}

// A Config that is printed shows no key.
func TestConfigHidesSigningKeyInText(t *testing.T) {
	c := memstore.Config{SigningKeys: memstore.SigningKeys{secret('S')}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("here", "keys", c.SigningKeys)
	slog.New(slog.NewTextHandler(&log, nil)).Info("here", "keys", c.SigningKeys)
	encoded, err := json.Marshal(c.SigningKeys)
	require.NoError(t, err)
	texts := []string{string(encoded), log.String()}
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		texts = append(texts, fmt.Sprintf(format, c))
	}

	for _, text := range texts {
		require.Contains(t, text, "REDACTED")
		require.NotContains(t, text, "SSSS", "as text")
		require.NotContains(t, text, "83 83", "as decimal numbers")
		require.NotContains(t, text, "5353", "as hexadecimal digits")
	}
}

// The origin's BucketInfo reports whether the bucket is public. PublicRevision returns a revision only for a
// public object.
func TestOriginReportsPublic(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{}, storage.WithSigningBaseURL(base))
	_, err := s.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	b, err := s.Bucket("bucket")
	require.NoError(t, err)
	o, ok := signedurl.OriginOf(b)
	require.True(t, ok)

	info, err := o.BucketInfo(t.Context())
	require.NoError(t, err)
	require.False(t, info.Public)

	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	_, err = s.UpdateBucket(t.Context(), "bucket", storage.WithPublicAccess(true), storage.WithCORS(rule))
	require.NoError(t, err)
	info, err = o.BucketInfo(t.Context())
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)

	attrs, err := b.Upload(t.Context(), "shown", bytes.NewReader(nil), storage.WithPublicRead())
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "hidden", bytes.NewReader(nil))
	require.NoError(t, err)
	for key, want := range map[string]string{"shown": attrs.Revision, "hidden": "", "missing": ""} {
		revision, err := o.PublicRevision(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, revision, key)
	}
}

// The origin of a bucket is found below its layers, and not below other wrappers.
func TestOriginOfLayers(t *testing.T) {
	pass := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
			return next(ctx)
		})
	})
	parent := memstore.New(storage.WithSigningBaseURL(base), pass)
	_, ok := signedurl.OriginOf(parent)
	require.True(t, ok)

	withoutOrigin := map[string]storage.Bucket{
		"no base URL":    memstore.New(),
		"a prefix":       storage.Prefixed(parent, "p/"),
		"a reference":    storage.Ref[storage.Downloader](parent).(storage.Bucket),
		"the user's own": struct{ storage.Bucket }{parent},
	}
	for name, b := range withoutOrigin {
		_, ok := signedurl.OriginOf(b)
		require.False(t, ok, name)
	}
}
