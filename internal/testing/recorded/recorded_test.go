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

// Malformed recordings are refused, because a contributor may send files that no recorder has written.
func TestParseRefusesMalformedFiles(t *testing.T) {
	exchanges, err := parse([]byte(`{"Entries": [`+goodEntry+`]}`), Amazon, "file")
	require.NoError(t, err)
	require.Equal(t, "hello", string(exchanges[0].Response.Body))
	require.Equal(t, Get, exchanges[0].Kind)

	for _, provider := range []Provider{Amazon, Google, Azure} {
		for name, change := range map[string][2]string{
			"truncated":                {`]}`, ``},
			"Base64 that is not":       {`aGVsbG8=`, `aGVsbG8`},
			"no method":                {`"GET"`, `""`},
			"no host":                  {`https://b.s3.amazonaws.com`, ``},
			"an address that is not":   {`https://b`, `https://%zz`},
			"no status":                {`200`, `0`},
			"a status of no response":  {`200`, `103`},
			"a status above all":       {`200`, `99999`},
			"a header without values":  {`["1"]`, `[]`},
			"a header with lines":      {`["1"]`, `["1\r\nB: 2"]`},
			"a header that is a text":  {`["1"]`, `"1"`},
			"entries that are no list": {`[{`, `{{`},
		} {
			text := strings.Replace(`{"Entries": [`+goodEntry+`]}`, change[0], change[1], 1)
			_, err := parse([]byte(text), provider, "file")
			require.Error(t, err, name)
		}
	}
}

// Each exchange gets a kind, whatever its method and its path are.
func TestClassifyTakesAnyAddress(t *testing.T) {
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
	for _, provider := range []Provider{Amazon, Google, Azure} {
		for _, path := range paths {
			for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD", "X"} {
				text := strings.Replace(goodEntry, "/a\"", path+`"`, 1)
				text = strings.Replace(text, "GET", method, 1)
				exchanges, err := parse([]byte(`{"Entries": [`+text+`]}`), provider, "file")
				require.NoError(t, err)
				require.NotEmpty(t, exchanges[0].Kind)
				exchanges[0].Expected() // does not panic
			}
		}
	}
}

// A file that is too large and a symbolic link are not read.
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
		require.Error(t, err)
	}
}

// ReadFolder counts recordings of gRPC and does not read them.
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
