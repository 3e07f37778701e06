package hostile

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const (
	maxTime     = time.Minute // time for maxRequests on a slow machine
	maxRequests = 40
	// maxTaken is how many bytes of a response the server may send. It is the largest number that a
	// driver reads, plus the bytes that fit into the buffers of both systems.
	maxTaken = 40 << 20
	maxText  = 16 << 10 // largest text of an error, in bytes; RemoveAll joins several errors
)

// A wrongResult is the error of an operation that succeeded with an untrue result.
type wrongResult string

func (l wrongResult) Error() string {
	return "the operation succeeded with something untrue: " + string(l)
}

// requireAllowed fails the test if the operation did not behave as the package comment requires.
func (r *trial) requireAllowed(t *testing.T) {
	t.Helper()
	if r.broken == 0 {
		require.NoError(t, r.err, "no response was broken. %v", r)
		return
	}

	var wrong wrongResult
	if errors.As(r.err, &wrong) {
		require.Fail(t, wrong.Error(), "%v", r)
	}

	// The operation must not take too much.
	require.Less(t, r.duration, r.fault.maxTime(), "it takes too long. %v", r)
	require.LessOrEqual(t, len(r.server.lines()), r.fault.maxRequests(), "too many requests. The error is: %v", r.err)
	require.LessOrEqual(t, r.server.maxBytes.Load(), int64(maxTaken), "it reads a body without an end. %v", r)

	// The error must show no secret.
	messages := errorTexts(r.err)
	for _, secret := range r.server.secrets() {
		for _, text := range messages {
			require.NotContains(t, text, secret, "a secret of the request is shown. %v", r)
		}
	}

	r.requireEffect(t)
	if r.err == nil {
		require.False(t, r.fault.mustFail, "it must fail. %v", r)
		return
	}

	// The error must be short, and have a code and a hint of the fault.
	require.LessOrEqual(t, len(r.err.Error()), maxText, "the error shows too much of a response. %v", r)
	var storageErr *storage.Error
	require.ErrorAs(t, r.err, &storageErr, "%v", r)
	if len(r.fault.codes) > 0 {
		require.Contains(t, r.fault.codes, storage.CodeOf(r.err), "%v", r)
	}
	require.Contains(t, storageErr.Hint, r.fault.hint, "%v", r)
}

// requireEffect requires that the operation has had the effect that its result reports. If the result is
// nil, the operation took effect. If it took effect although it failed, the error says that the outcome is
// unknown.
func (r *trial) requireEffect(t *testing.T) {
	t.Helper()

	hasEffects := r.operation.tookEffect != nil
	if !hasEffects {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxTime)
	defer cancel()

	if r.overtaken {
		r.requireNewer(ctx, t)
		return
	}

	// A broken response to a read may look as if another writer had changed the object. A broken
	// response to a write must not look like that, because nobody else writes.
	tookEffect, err := r.operation.tookEffect(ctx, r.bucket)
	require.NoError(t, err, "%v", r)
	firstBrokenRequest := r.server.lines()[r.first-1]
	if !isRead(firstBrokenRequest) {
		require.NotEqual(t, storage.PreconditionFailed, storage.CodeOf(r.err), "nobody else writes. %v", r)
	}

	if r.err == nil {
		require.True(t, tookEffect, "it returned nil and has no effect. %v", r)
		return
	}
	if tookEffect {
		require.ErrorIs(t, r.err, storage.OutcomeUnknown, "it took effect. %v", r)
		return
	}

	// An operation of one request whose response falsely claims success cannot know its outcome.
	onlyResponseIsFalse := r.fault.claimsSuccess && r.first == 1 && r.operation.single
	if onlyResponseIsFalse {
		require.ErrorIs(t, r.err, storage.OutcomeUnknown, "only a true response tells. %v", r)
	}
}

// requireNewer requires that the operation has not replaced the object that another writer has stored
// meanwhile.
func (r *trial) requireNewer(ctx context.Context, t *testing.T) {
	t.Helper()
	require.NoError(t, r.otherErr, "%v", r)
	content, _, err := storage.ReadAll(ctx, r.bucket, "a")
	require.NoError(t, err, "%v", r)
	require.Equal(t, newer, string(content), "it replaced what another writer has stored meanwhile. %v", r)
}

// errorTexts returns every text that shows err or an error in its tree, including log output.
func errorTexts(err error) []string {
	if err == nil {
		return nil
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "error", err)
	texts := []string{err.Error(), log.String()}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		texts = append(texts, errorTexts(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			texts = append(texts, errorTexts(inner)...)
		}
	}
	return texts
}

// secretsOf returns the secrets in the headers and in the URL of a request.
func secretsOf(r *http.Request) []string {
	var secrets secretList
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, value := range values {
			secrets.addHeader(name, value)
			// A header such as X-Amz-Copy-Source may be a signed URL.
			if address, err := url.Parse(value); err == nil && address.Host != "" {
				secrets.addParameters(address)
			}
		}
	}
	secrets.addParameters(r.URL)
	return secrets
}

// A secretList holds secrets, each once.
type secretList []string

// add adds a secret. It ignores texts that are too short to be a secret.
func (l *secretList) add(value string) {
	if len(value) >= 8 && !slices.Contains(*l, value) {
		*l = append(*l, value)
	}
}

// addHeader adds the secrets of a header, whose name is in lower case.
func (l *secretList) addHeader(name, value string) {
	isChecksum := strings.HasSuffix(name, "-md5") || strings.HasSuffix(name, "-sha256")
	switch {
	case strings.Contains(name, "authorization") || strings.Contains(name, "cookie"):
		l.addCredential(value)
	case strings.Contains(name, "security-token") || strings.Contains(name, "session-token"):
		l.add(value)
	case isChecksum:
		// The checksum of an encryption key is no secret.
	case strings.Contains(name, "customer-key") || strings.Contains(name, "encryption-key"):
		l.add(value)
	}
}

// addCredential adds the secrets in an authorization header or a cookie. Of Amazon's signature,
// version 4, only the signature itself is a secret.
func (l *secretList) addCredential(value string) {
	if strings.HasPrefix(value, "AWS4-") {
		_, signature, _ := strings.Cut(value, "Signature=")
		l.add(signature)
		return
	}
	isSeparator := func(c rune) bool { return c == ' ' || c == ',' || c == ';' }
	for word := range strings.FieldsFuncSeq(value, isSeparator) {
		l.add(secretWord(word))
	}
}

// secretWord returns the secret part of one word of a credential, such as a MAC or a token, or ""
// if there is none.
func secretWord(word string) string {
	name, value, isPair := strings.Cut(word, "=")
	if isPair && strings.EqualFold(name, "Signature") {
		return value
	}
	// The MAC of an account follows its name and a colon.
	if i := strings.LastIndex(word, ":"); i >= 0 {
		return word[i+1:]
	}
	isScheme := strings.HasPrefix(word, "SharedKey") || strings.EqualFold(word, "bearer")
	if isScheme {
		return ""
	}
	return word
}

// addParameters adds the secrets in the query of a URL.
func (l *secretList) addParameters(address *url.URL) {
	for name, values := range address.Query() {
		switch strings.ToLower(name) {
		case "sig", "signature", "x-amz-signature", "x-amz-security-token", "x-goog-signature":
			for _, value := range values {
				l.add(value)
			}
		}
	}
}
