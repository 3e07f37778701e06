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

func TestSignPrintsAURL(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	text := s.ok("sign", "--filename", "it's.txt", "--content-type", "text/plain", bucket+"/a b"+signingBase)
	require.Len(t, splitLines(text), 1)
	require.True(t, strings.HasPrefix(text, "http://127.0.0.1:1/.signed/a%20b?"), text)
}

// sign prints a curl command for an upload.
func TestSignUploadIsACurlCommand(t *testing.T) {
	s := newShell(t)
	s.env["OMNIBUCKET_BOX"] = newMemoryAddress(t) + signingBase
	for _, key := range hostile {
		t.Run(key, func(t *testing.T) {
			s.t = t
			text := s.ok("sign", "--upload", "--content-type", "text/plain", "--if-absent", "--size", "3", "box:"+key)

			words := shellWords(t, text)
			require.Equal(t, []string{"curl", "-T", "FILE"}, words[:3])
			require.Contains(t, words, "Content-Type: text/plain")

			address := words[len(words)-1]
			require.True(t, strings.HasPrefix(address, "http://127.0.0.1:1/.signed/"), address)
			require.NotContains(t, address, " ")

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

// Words are quoted for a shell.
func TestShellQuote(t *testing.T) {
	for _, word := range append(hostile, "", "'", "''", "a\nb", "\\", "$(true)") {
		require.Equal(t, []string{"x", word}, shellWords(t, "x "+serving.ShellQuote(word)))
	}
	signedURL := &storage.SignedURL{URL: "http://h/[a]", Method: "POST", Header: http.Header{"X-B": {"it's", "2"}, "X-A": {"1"}}}
	require.Equal(t, `curl -T FILE --globoff -X 'POST' -H 'X-A: 1' -H 'X-B: it'\''s' -H 'X-B: 2' 'http://h/[a]'`, serving.Curl(signedURL))
}

func TestSignAsJSON(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)

	text := s.ok("sign", "--json", "--upload", "--ttl", "10m", "--content-type", "image/png", bucket+"/a"+signingBase)
	require.NotContains(t, text, `\u0026`)
	var result storage.SignedURL
	require.NoError(t, json.Unmarshal([]byte(text), &result))
	require.Equal(t, http.MethodPut, result.Method)
	require.Equal(t, "image/png", result.Header.Get("Content-Type"))
	require.WithinDuration(t, time.Now().Add(10*time.Minute), result.ExpiresAt, time.Minute)
}

func TestSignRefuses(t *testing.T) {
	s := newShell(t)
	bucket := newMemoryAddress(t)
	tests := []struct {
		name string
		code int
		args []string
	}{
		{"a size of a download", 2, []string{"--size", "3", bucket + "/a" + signingBase}},
		{"a condition of a download", 2, []string{"--if-absent", bucket + "/a" + signingBase}},
		{"a name of an upload", 2, []string{"--upload", "--filename", "a", bucket + "/a" + signingBase}},
		{"a version of an upload", 2, []string{"--upload", "--version", "1", bucket + "/a" + signingBase}},
		{"a disposition of an upload", 2, []string{"--upload", "--disposition", "inline", bucket + "/a" + signingBase}},
		{"HEAD for an upload", 2, []string{"--upload", "--head", bucket + "/a" + signingBase}},
		{"a name and a disposition", 2, []string{"--filename", "a", "--disposition", "inline", bucket + "/a" + signingBase}},
		{"a disposition that is none", 2, []string{"--disposition", "in line;", bucket + "/a" + signingBase}},
		{"a time that is too long", 2, []string{"--ttl", "169h", bucket + "/a" + signingBase}},
		{"a bucket", 2, []string{bucket + signingBase}},
		{"a bucket that cannot sign", 1, []string{bucket + "/a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.t = t
			stdout, _ := s.exits(tt.code, append([]string{"sign"}, tt.args...)...)
			require.Empty(t, stdout)
		})
	}
}
