package gcs

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Printing or logging an option does not show its secret.
func TestOptionSecretsAreNotPrinted(t *testing.T) {
	key := decodeKey(t, keyText)
	tests := []struct {
		name   string
		option any
	}{
		{name: "WithCustomerKey", option: WithCustomerKey(key)},
		{name: "WithSourceCustomerKey", option: WithSourceCustomerKey(key)},
		{name: "WithHeader", option: WithHeader("X-Secret", "pa55word")},
		{name: "WithParameter", option: WithParameter("secret", "pa55word")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var printed bytes.Buffer
			slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "option", tt.option)
			slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "option", tt.option)
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
				_, _ = fmt.Fprintf(&printed, verb+"\n", tt.option)
			}

			require.NotContains(t, printed.String(), keyText, "base64")
			require.NotContains(t, printed.String(), string(key), "raw")
			require.NotContains(t, printed.String(), fmt.Sprintf("%x", key), "hex")
			require.NotContains(t, printed.String(), strings.Trim(fmt.Sprint(key), "[]"), "a list of numbers")
			require.NotContains(t, printed.String(), "pa55word")
		})
	}
}

// If the server refuses a customer's key, the error of the call does not contain the key.
func TestWithCustomerKeyIsNotShownIfRefused(t *testing.T) {
	bucket := newCannedServer(t,
		jsonError(400, "customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect."),
	).openBucket(t)
	key := WithCustomerKey(decodeKey(t, keyText))

	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), key)

	require.ErrorIs(t, err, storage.InvalidArgument)
	require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), keyText)
}

// If the server cannot be reached, the error of a call with a customer's key does not contain the
// key.
func TestWithCustomerKeyIsNotShownIfUnreachable(t *testing.T) {
	server := newCannedServer(t, reply{})
	bucket := server.openBucket(t)
	server.Close()

	_, err := bucket.Attrs(t.Context(), "a", WithCustomerKey(decodeKey(t, keyText)))

	require.Error(t, err)
	require.NotContains(t, fmt.Sprintf("%+v %#v", err, err), keyText)
}

// The resume file does not contain the customer's key at any request of an upload in parts.
func TestResumeFileHasNoCustomerKey(t *testing.T) {
	server := newAcceptingServer(t)
	key := decodeKey(t, keyText)
	resumeFile := filepath.Join(t.TempDir(), "resume")
	source := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(source, make([]byte, 600<<10), 0o600))
	// At the first request, there is no file yet.
	var mu sync.Mutex
	var texts []string
	server.Before = func(*http.Request) {
		text, err := os.ReadFile(resumeFile)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		texts = append(texts, string(text))
	}

	_, err := storage.UploadFile(t.Context(), server.openBucket(t), "a", source,
		storage.WithPartSize(256<<10), storage.WithResume(resumeFile), WithCustomerKey(key))
	require.NoError(t, err)

	// The file existed during later requests, and never contained the key.
	require.NotEmpty(t, texts)
	for _, text := range texts {
		require.NotContains(t, text, keyText)
		require.NotContains(t, text, string(key))
		require.NotContains(t, text, keySum)
	}
}

// Equal options have equal fingerprints, and different options have different ones. WithResume compares the
// fingerprints of two attempts of an upload.
func TestOptionFingerprints(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	fingerprints := func() []string {
		var all []string
		for _, option := range []storage.UploadOption{
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
		} {
			all = append(all, nativeValues(option)[0].(driver.Fingerprinter).Fingerprint())
		}
		return all
	}

	first := fingerprints()
	second := fingerprints() // of equal options
	require.Equal(t, first, second)

	distinct := slices.Compact(slices.Sorted(slices.Values(first)))
	require.Len(t, distinct, len(first))
}
