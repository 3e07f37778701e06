package s3_test

import (
	"bytes"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// outsider is a client that knows nothing of the driver.
var outsider = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// status makes a signed request from net/http.
func status(t *testing.T, signed *storage.SignedURL, body string) int {
	t.Helper()
	r, err := signed.Request(t.Context(), strings.NewReader(body))
	require.NoError(t, err)
	answer, err := outsider.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	return answer.StatusCode
}

// curl makes a signed request with the headers that came with it and no other
// that curl adds by itself.
func curl(t *testing.T, signed *storage.SignedURL, body string) string {
	t.Helper()
	args := []string{"--silent", "--globoff", "--path-as-is", "--request", signed.Method, "--write-out", "%{http_code}"}
	for name, values := range signed.Header {
		for _, value := range values {
			args = append(args, "--header", name+": "+value)
		}
	}
	command := exec.CommandContext(t.Context(), "curl", append(args, signed.URL)...)
	if signed.Method == http.MethodPut {
		command.Args = append(command.Args, "--data-binary", "@-")
		command.Stdin = strings.NewReader(body)
	}
	var out bytes.Buffer
	command.Stdout = &out
	require.NoError(t, command.Run(), "this test needs curl")
	return out.String()
}

var signedKeys = []string{"plain.txt", "with space", "plus+plus", "percent%41", "question?mark", "hash#mark", "brackets[1]{2}", "a&b=c;d,e:f@g$h!i'(j)*", "\u00e9", "\U0001f600/emoji"}

func TestSignedAddressesWorkFromCurl(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			for _, key := range signedKeys {
				signed, err := b.SignedUploadURL(t.Context(), key, storage.WithSize(4), storage.IfAbsent(),
					storage.WithContentType("text/x-test"), storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"k": "caf\u00e9"}))
				require.NoError(t, err)
				require.Equal(t, "200", curl(t, signed, "text"), "%q", key)
				require.NotEqual(t, "200", curl(t, signed, "text"), "it creates once")
				require.NotEqual(t, "200", curl(t, signed, "longer"))
				attrs, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/x-test", attrs.ContentType)
				require.Equal(t, "no-store", attrs.CacheControl)
				require.Equal(t, map[string]string{"k": "caf\u00e9"}, attrs.Metadata)

				signed, err = b.SignedDownloadURL(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text200", curl(t, signed, ""), "%q", key)
			}
		})
	}
}

func TestASignedEmptyBodyIsEmpty(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithSize(0))
			require.NoError(t, err)
			require.GreaterOrEqual(t, status(t, signed, "x"), 400)
			_, err = b.Attrs(t.Context(), "a")
			require.ErrorIs(t, err, storage.ObjectNotFound)
			require.Equal(t, http.StatusOK, status(t, signed, ""))
		})
	}
}

func TestASignedChecksumIsHeld(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			b := s.open(t, s.bucket(t, false))
			signed, err := b.SignedUploadURL(t.Context(), "a", storage.WithCRC32C(0xE3069283)) // of "123456789"
			require.NoError(t, err)
			require.GreaterOrEqual(t, status(t, signed, "987654321"), 400)
			require.Equal(t, http.StatusOK, status(t, signed, "123456789"))
			attrs, err := b.Attrs(t.Context(), "a")
			require.NoError(t, err)
			require.NotNil(t, attrs.CRC32C)
			require.Equal(t, uint32(0xE3069283), *attrs.CRC32C)
		})
	}
}
