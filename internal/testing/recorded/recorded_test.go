package recorded

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const goodEntry = `{"Request": {"Method": "GET", "URL": "https://b.s3.amazonaws.com/a", "Header": {"A": ["1"]}},` +
	` "Response": {"StatusCode": 200, "Header": {"Etag": ["1"]}, "Body": "aGVsbG8="}}`

// Malformed recordings are refused, because they may come from people and not from a recorder.
func TestParseRefusesMalformedFiles(t *testing.T) {
	const file = `{"Entries": [` + goodEntry + `]}`
	exchanges, err := parse([]byte(file), Amazon, "file")
	require.NoError(t, err)
	require.Equal(t, "hello", string(exchanges[0].Response.Body))
	require.Equal(t, Get, exchanges[0].Kind)

	// Each case replaces a part of the file.
	tests := []struct {
		name string
		good string
		bad  string
	}{
		{name: "a file that ends early", good: `]}`, bad: ``},
		{name: "a body that is no Base64", good: `aGVsbG8=`, bad: `aGVsbG8`},
		{name: "no method", good: `"GET"`, bad: `""`},
		{name: "no host", good: `https://b.s3.amazonaws.com`, bad: ``},
		{name: "an address that is none", good: `https://b`, bad: `https://%zz`},
		{name: "no status", good: `200`, bad: `0`},
		{name: "a status of no response", good: `200`, bad: `103`},
		{name: "a status above all", good: `200`, bad: `99999`},
		{name: "a header without values", good: `["1"]`, bad: `[]`},
		{name: "a header with lines", good: `["1"]`, bad: `["1\r\nB: 2"]`},
		{name: "a header that is a text", good: `["1"]`, bad: `"1"`},
		{name: "entries that are no list", good: `[{`, bad: `{{`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			malformed := strings.Replace(file, tt.good, tt.bad, 1)
			for _, provider := range []Provider{Amazon, Google, Azure} {
				_, err := parse([]byte(malformed), provider, "file")
				require.Error(t, err, provider)
			}
		})
	}
}

// parse gives each recorded exchange (a request and its response) a kind, whatever its method and path are.
func TestClassifyTakesAnyAddress(t *testing.T) {
	methods := []string{"GET", "PUT", "POST", "DELETE", "HEAD", "X"}
	paths := []string{
		"",
		"/",
		"//",
		"/%2e%2e/..",
		"/storage/v1/b",
		"/storage/v1/b/",
		"/storage/v1/b/x/o/y/rewriteTo/b/z/o",
		"/upload/storage/v1/b/",
		"/storage/v1/b/a/b/c/d/e/f/g/h/i/j",
		"/?comp=list",
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			for _, method := range methods {
				// Replace the path and the method of goodEntry.
				entry := strings.Replace(goodEntry, `/a"`, path+`"`, 1)
				entry = strings.Replace(entry, "GET", method, 1)

				for _, provider := range []Provider{Amazon, Google, Azure} {
					exchanges, err := parse([]byte(`{"Entries": [`+entry+`]}`), provider, "file")
					require.NoError(t, err)
					require.NotEmpty(t, exchanges[0].Kind)
					require.NotPanics(t, func() {
						exchanges[0].Expected()
					})
				}
			}
		})
	}
}

// ReadFile refuses a file that is too large, and a symbolic link.
func TestReadFileRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.replay")
	require.NoError(t, os.WriteFile(huge, nil, 0o600))
	require.NoError(t, os.Truncate(huge, maxFile+1))
	if runtime.GOOS != "windows" {
		require.NoError(t, os.Symlink("huge.replay", filepath.Join(dir, "link.replay")))
	}

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, entry := range entries {
		_, err := readFile(filepath.Join(dir, entry.Name()), entry)
		require.Error(t, err, entry.Name())
	}
}

// ReadFolder counts recordings of gRPC, but does not read them.
func TestReadFolderCountsGRPC(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.replay": "RPCReplay\x00",
		"b.replay": `{"Entries": [` + goodEntry + `]}`,
		"c.txt":    "{",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}

	folder := ReadFolder(t, Amazon, dir)
	require.Equal(t, 1, folder.Binary)
	require.Len(t, folder.Exchanges, 1)
}
