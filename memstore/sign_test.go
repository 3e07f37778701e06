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

// serveBucket returns a bucket that signs URLs, and the origin that serves these URLs.
func serveBucket(t *testing.T, c memstore.Config) (storage.Bucket, signedurl.ServedBucket) {
	t.Helper()
	b := engine.New(memstore.NewDriver(c), storage.WithSigningBaseURL(base))
	origin, ok := signedurl.OriginOf(b)
	require.True(t, ok)
	return b, origin
}

func signDownload(t *testing.T, b storage.Bucket) string {
	t.Helper()
	signedURL, err := b.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)
	return signedURL.URL
}

func newSigningKey(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

// Without a signing base URL, a bucket cannot sign, and its error names WithSigningBaseURL.
func TestSignedURLNeedsBase(t *testing.T) {
	b := memstore.New()
	_, err := b.SignedDownloadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "WithSigningBaseURL")
	require.False(t, storage.Supports(b, storage.SignedURLs))
}

// Without a signing base URL, the driver itself refuses to sign.
func TestDriverSignNeedsBase(t *testing.T) {
	d := newDriver()
	_, err := d.Sign(t.Context(), &driver.SignRequest{Method: "GET", Key: "a", TTL: time.Hour})
	require.ErrorIs(t, err, storage.Unsupported)
	_, err = d.SignForm(t.Context(), &driver.SignRequest{Method: "POST", Key: "a", TTL: time.Hour})
	require.ErrorIs(t, err, storage.Unsupported)
}

// ExpiresAt of a signed URL is the end of its TTL by the bucket's clock, rounded up to a whole second.
func TestSignedURLHasExpiry(t *testing.T) {
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := noon.Add(time.Nanosecond)
	b, origin := serveBucket(t, memstore.Config{Now: func() time.Time { return now }})

	signedURL, err := b.SignedDownloadURL(t.Context(), "a", storage.WithTTL(time.Minute))
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Minute+time.Second), signedURL.ExpiresAt)
	require.Equal(t, now, origin.Now(), "what serves the URL must use the same clock")
}

// Two buckets with the same name sign with different keys, unless Config.SigningKeys sets the keys.
func TestSigningKeyOfEachBucket(t *testing.T) {
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }

	t.Run("own keys", func(t *testing.T) {
		config := memstore.Config{Now: now}
		a, _ := serveBucket(t, config)
		b, _ := serveBucket(t, config)
		require.Equal(t, signDownload(t, a), signDownload(t, a))
		require.NotEqual(t, signDownload(t, a), signDownload(t, b))
	})

	t.Run("keys of the Config", func(t *testing.T) {
		config := memstore.Config{Now: now, SigningKeys: memstore.SigningKeys{newSigningKey(1)}}
		a, _ := serveBucket(t, config)
		b, _ := serveBucket(t, config)
		require.Equal(t, signDownload(t, a), signDownload(t, b))
	})
}

// All buckets that are opened by address have the same signing key.
func TestSigningKeyOfAddress(t *testing.T) {
	signingKeyOf := func(address string) string {
		b, err := storage.Open(t.Context(), address, storage.WithSigningBaseURL(base))
		require.NoError(t, err)
		form, err := storage.SignedUploadForm(t.Context(), b, "a", 0, 1)
		require.NoError(t, err)
		return form.Fields["ob-key"]
	}
	require.Equal(t, signingKeyOf("mem://signed"), signingKeyOf("mem://also-signed"))
}

// If one of the signing keys is too short, signing fails with InvalidArgument, and the error does not show the key.
func TestSigningKeyMustBeLong(t *testing.T) {
	const shortKey = "short and secret"
	b, _ := serveBucket(t,
		memstore.Config{SigningKeys: memstore.SigningKeys{newSigningKey(1), []byte(shortKey)}})
	_, err := b.SignedDownloadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, err.Error(), shortKey)
}

// No signing key shows when a Config is logged, printed or encoded.
func TestConfigHidesSigningKeyInText(t *testing.T) {
	// All bytes of the key are the letter S, which is 83, or 53 in hexadecimal digits.
	config := memstore.Config{SigningKeys: memstore.SigningKeys{newSigningKey('S')}}

	// Make texts of the key in all ways.
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("here", "keys", config.SigningKeys)
	slog.New(slog.NewTextHandler(&log, nil)).Info("here", "keys", config.SigningKeys)
	encoded, err := json.Marshal(config.SigningKeys)
	require.NoError(t, err)
	texts := []string{string(encoded), log.String()}
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		texts = append(texts, fmt.Sprintf(format, config))
	}

	for _, text := range texts {
		require.Contains(t, text, "REDACTED")
		require.NotContains(t, text, "SSSS", "as text")
		require.NotContains(t, text, "83 83", "as decimal numbers")
		require.NotContains(t, text, "5353", "as hexadecimal digits")
	}
}

// The origin of a bucket reports the public access and the CORS rules that the bucket has at the moment.
func TestOriginBucketInfo(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{}, storage.WithSigningBaseURL(base))
	_, err := s.CreateBucket(t.Context(), "bucket")
	require.NoError(t, err)
	b, err := s.Bucket("bucket")
	require.NoError(t, err)
	origin, ok := signedurl.OriginOf(b)
	require.True(t, ok)

	// A new bucket is not public.
	info, err := origin.BucketInfo(t.Context())
	require.NoError(t, err)
	require.False(t, info.Public)

	// The origin shows a change of the bucket.
	rule := storage.CORSRule{Origins: []string{"*"}, Methods: []string{"GET"}}
	_, err = s.UpdateBucket(t.Context(), "bucket", storage.WithPublicAccess(true), storage.WithCORS(rule))
	require.NoError(t, err)
	info, err = origin.BucketInfo(t.Context())
	require.NoError(t, err)
	require.True(t, info.Public)
	require.Equal(t, []storage.CORSRule{rule}, info.CORS)
}

// PublicRevision returns the revision of an object with WithPublicRead, and "" for any other key, even if the whole
// bucket is public.
func TestOriginPublicRevision(t *testing.T) {
	s := memstore.NewService(memstore.ServiceConfig{}, storage.WithSigningBaseURL(base))
	_, err := s.CreateBucket(t.Context(), "bucket", storage.WithPublicAccess(true))
	require.NoError(t, err)
	b, err := s.Bucket("bucket")
	require.NoError(t, err)
	origin, ok := signedurl.OriginOf(b)
	require.True(t, ok)

	attrs, err := b.Upload(t.Context(), "public", bytes.NewReader(nil), storage.WithPublicRead())
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "private", bytes.NewReader(nil))
	require.NoError(t, err)

	for key, want := range map[string]string{"public": attrs.Revision, "private": "", "missing": ""} {
		revision, err := origin.PublicRevision(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, want, revision, key)
	}
}

// OriginOf finds the base URL with which a bucket signs below the bucket's layers, but not below other wrappers.
func TestOriginOfLayers(t *testing.T) {
	// The bucket has a base URL, and a layer that passes on each call.
	layer := driver.WithLayer(func(d driver.Driver) driver.Driver {
		return driver.Intercept(d, func(ctx context.Context, _ string, next func(context.Context) error) error {
			return next(ctx)
		})
	})
	layered := memstore.New(storage.WithSigningBaseURL(base), layer)
	_, ok := signedurl.OriginOf(layered)
	require.True(t, ok)

	withoutOrigin := map[string]storage.Bucket{
		"no base URL": memstore.New(),
		"a prefix":    storage.Prefixed(layered, "p/"),
		"a Ref":       storage.Ref[storage.Downloader](layered).(storage.Bucket),
		"a user type": struct{ storage.Bucket }{layered},
	}
	for name, bucket := range withoutOrigin {
		t.Run(name, func(t *testing.T) {
			_, ok := signedurl.OriginOf(bucket)
			require.False(t, ok)
		})
	}
}
