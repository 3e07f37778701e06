package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/serving"
)

const signingBase = "?signing_base_url=http://127.0.0.1:1/.signed"

// sign prints the URL of a download in one line.
func TestSignPrintsAURL(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	text := s.run("sign", "--filename", "it's.txt", "--content-type", "text/plain", bucket+"/a b"+signingBase)
	require.Len(t, splitLines(text), 1)
	require.True(t, strings.HasPrefix(text, "http://127.0.0.1:1/.signed/a%20b?"), text)
}

// sign --upload prints a curl command that a shell can run, whatever the key is.
func TestSignUploadIsACurlCommand(t *testing.T) {
	s := newShell(t)
	s.setLocation("box", newMemoryAddress(t)+signingBase)
	for _, key := range hostile {
		t.Run(key, func(t *testing.T) {
			s := s.inSubtest(t)
			text := s.run("sign", "--upload", "--content-type", "text/plain", "--if-absent", "--size", "3", "box:"+key)

			words := shellWords(t, text)
			require.Equal(t, []string{"curl", "-T", "FILE"}, words[:3])
			require.Contains(t, words, "Content-Type: text/plain")

			// The last word of the command is the URL.
			address := words[len(words)-1]
			require.True(t, strings.HasPrefix(address, "http://127.0.0.1:1/.signed/"), address)
			require.NotContains(t, address, " ")

			// curl expands brackets and braces of a URL, except with --globoff.
			if strings.ContainsAny(address, "[]{}") {
				require.Contains(t, words, "--globoff")
			}
		})
	}
}

// shellWords returns the words of a command as a real shell parses them.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `for word in `+strings.TrimSpace(command)+`; do printf '%s\0' "$word"; done`)
	data, err := cmd.Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00")
}

// sendSignedCurl sends the request of a signed curl command.
func sendSignedCurl(t *testing.T, command, body string) (status int, answer string) {
	t.Helper()
	words := shellWords(t, command)
	r := request(t, http.MethodPut, words[len(words)-1], body)
	for i, word := range words {
		if word == "-H" {
			name, value, _ := strings.Cut(words[i+1], ": ")
			r.Header.Add(name, value)
		}
	}
	return ask(t, r)
}

// A shell reads a word that ShellQuote has quoted as the word before.
func TestShellQuote(t *testing.T) {
	for _, word := range append(hostile, "", "'", "''", "a\nb", "\\", "$(true)") {
		require.Equal(t, []string{"x", word}, shellWords(t, "x "+serving.ShellQuote(word)))
	}
}

// Curl returns a curl command with quotes around the method, the headers and the URL. The headers
// are sorted.
func TestCurl(t *testing.T) {
	signedURL := &storage.SignedURL{
		URL:    "http://h/[a]",
		Method: "POST",
		Header: http.Header{"X-B": {"it's", "2"}, "X-A": {"1"}},
	}
	want := `curl -T FILE --globoff -X 'POST' -H 'X-A: 1' -H 'X-B: it'\''s' -H 'X-B: 2' 'http://h/[a]'`
	require.Equal(t, want, serving.Curl(signedURL))
}

// sign --json prints the URL with its method, its headers and the time at which it expires.
func TestSignAsJSON(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)

	text := s.run("sign", "--json", "--upload", "--ttl", "10m", "--content-type", "image/png", bucket+"/a"+signingBase)

	const escapedAmpersand = `\u0026`
	require.NotContains(t, text, escapedAmpersand)
	var result storage.SignedURL
	require.NoError(t, json.Unmarshal([]byte(text), &result))
	require.Equal(t, http.MethodPut, result.Method)
	require.Equal(t, "image/png", result.Header.Get("Content-Type"))
	require.WithinDuration(t, time.Now().Add(10*time.Minute), result.ExpiresAt, time.Minute)
}

// sign refuses flags that do not fit together, values that are invalid, and buckets that cannot sign.
func TestSignRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	// A bucket in memory can sign only if its address has a base for signed URLs.
	object := bucket + "/a" + signingBase
	tests := []struct {
		name     string
		args     []string
		wantExit int
	}{
		// These flags are only for uploads.
		{name: "a size of a download", args: []string{"--size", "3", object}, wantExit: exitUsage},
		{name: "a condition of a download", args: []string{"--if-absent", object}, wantExit: exitUsage},

		// These flags are only for downloads.
		{name: "a name of an upload", args: []string{"--upload", "--filename", "a", object}, wantExit: exitUsage},
		{name: "a version of an upload", args: []string{"--upload", "--version", "1", object}, wantExit: exitUsage},
		{
			name:     "a disposition of an upload",
			args:     []string{"--upload", "--disposition", "inline", object},
			wantExit: exitUsage,
		},
		{name: "HEAD for an upload", args: []string{"--upload", "--head", object}, wantExit: exitUsage},

		{
			name:     "a name and a disposition",
			args:     []string{"--filename", "a", "--disposition", "inline", object},
			wantExit: exitUsage,
		},
		{name: "an invalid disposition", args: []string{"--disposition", "in line;", object}, wantExit: exitUsage},
		{name: "a time that is too long", args: []string{"--ttl", "169h", object}, wantExit: exitUsage},
		{name: "a bucket instead of an object", args: []string{bucket + signingBase}, wantExit: exitUsage},
		{name: "a bucket that cannot sign", args: []string{bucket + "/a"}, wantExit: exitFailure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := s.inSubtest(t)
			stdout, _ := s.requireExit(tt.wantExit, append([]string{"sign"}, tt.args...)...)
			require.Empty(t, stdout)
		})
	}
}
