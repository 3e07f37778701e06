package gcs

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Secrets of options are not printed.
func TestOptionSecretsAreNotPrinted(t *testing.T) {
	key := decodeKey(t, keyText)
	for _, o := range []any{
		WithCustomerKey(key), WithSourceCustomerKey(key), WithHeader("X-Secret", "pa55word"),
		WithParameter("secret", "pa55word"),
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "option", o)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "option", o)
		text := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			text += fmt.Sprintf(verb, o) + "\n"
		}

		for name, secret := range map[string]string{
			"base64": keyText,
			"raw":    string(key),
			"hex":    fmt.Sprintf("%x", key),
			"list":   strings.Trim(fmt.Sprint(key), "[]"),
			"value":  "pa55word",
		} {
			require.NotContains(t, text, secret, name)
		}
	}
}

// No error has the key.
func TestWithCustomerKeyIsNotShown(t *testing.T) {
	key := WithCustomerKey(decodeKey(t, keyText))
	server := newCannedServer(t,
		jsonError(400, "customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect."))
	bucket := server.openBucket(t)

	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), keyText)

	server.Close()
	_, err = bucket.Attrs(t.Context(), "a", key)
	require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), keyText)
}

// No resume file has the key.
func TestResumeFileHasNoCustomerKey(t *testing.T) {
	server := newAcceptingServer(t)
	file := filepath.Join(t.TempDir(), "resume")
	source := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(source, bytes.Repeat([]byte("x"), 600<<10), 0o600))
	server.Before = func(*http.Request) {
		if text, err := os.ReadFile(file); err == nil {
			for _, secret := range []string{keyText, string(decodeKey(t, keyText)), keySum} {
				require.NotContains(t, string(text), secret)
			}
		}
	}
	_, err := storage.UploadFile(t.Context(), server.openBucket(t), "a", source, storage.WithPartSize(256<<10),
		storage.WithResume(file), WithCustomerKey(decodeKey(t, keyText)))
	require.NoError(t, err)
}

// Fingerprints tell options apart, and are equal for equal options.
func TestOptionFingerprints(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	newOptions := func() []storage.UploadOption {
		return []storage.UploadOption{
			WithCustomerKey(decodeKey(t, keyText)),
			WithCustomerKey(decodeKey(t, sourceKeyText)),
			WithKMSKey(kmsKey),
			WithKMSKey(otherKMS),
			WithCustomTime(when),
			WithCustomTime(when.Add(time.Second)),
			WithEventBasedHold(),
			WithPredefinedACL("private"),
			WithPredefinedACL("publicRead"),
			WithHeader("a", "b"),
			WithHeader("a", "c"),
			WithParameter("a", "b"),
			WithAttrs(func(a *gcs.ObjectAttrs) { a.Metadata["k"] = "v" }),
			WithAttrs(func(a *gcs.ObjectAttrs) { a.Metadata["k"] = "w" }),
		}
	}
	fingerprint := func(o storage.UploadOption) string {
		return nativeValues(o)[0].(driver.Fingerprinter).Fingerprint()
	}

	seen := map[string]bool{}
	equals := newOptions()
	for i, o := range newOptions() {
		value := fingerprint(o)
		require.False(t, seen[value], value)
		seen[value] = true
		require.Equal(t, value, fingerprint(equals[i]))
	}
}
