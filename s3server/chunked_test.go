package s3server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

func TestBodiesInChunks(t *testing.T) {
	const hello = "5\r\nhello\r\n0\r\n"
	const sum = "x-amz-checksum-crc32c:mnG7TA==\r\n"
	big := strings.Repeat("x", 8192)
	for name, test := range map[string]struct {
		body    string
		decoded string
		trailer string
		status  int
		code    string
	}{
		"right":                          {hello + sum + "\r\n", "5", "x-amz-checksum-crc32c", 200, ""},
		"LF before CRLF":                 {hello + "x-amz-checksum-crc32c:mnG7TA==\n\r\n\r\n", "5", "x-amz-checksum-crc32c", 200, ""},
		"empty":                          {"0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", "0", "x-amz-checksum-crc32c", 200, ""},
		"two chunks":                     {"2000\r\n" + big + "\r\n2\r\nxy\r\n0\r\nx-amz-checksum-crc32c:" + crc32c(big+"xy") + "\r\n\r\n", "8194", "x-amz-checksum-crc32c", 200, ""},
		"a small chunk before the last":  {"2\r\nhe\r\n3\r\nllo\r\n0\r\n" + sum + "\r\n", "5", "x-amz-checksum-crc32c", 403, "InvalidChunkSizeError"},
		"another checksum":               {hello + "x-amz-checksum-crc32c:AAAAAA==\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "BadDigest"},
		"an invalid checksum":            {hello + "x-amz-checksum-crc32c:hello\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "InvalidRequest"},
		"another trailer than announced": {hello + "x-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "MalformedTrailerError"},
		"an empty trailer":               {hello + "x-amz-checksum-crc32c:\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "InvalidRequest"},
		"no trailer":                     {hello + "\r\n", "5", "x-amz-checksum-crc32c", 400, "MalformedTrailerError"},
		"none announced":                 {hello + sum + "\r\n", "5", "", 400, "InvalidRequest"},
		"a longer body":                  {hello + sum + "\r\n", "4", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a shorter body":                 {hello + sum + "\r\n", "6", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"no decoded length":              {hello + sum + "\r\n", "", "x-amz-checksum-crc32c", 411, "MissingContentLength"},
		"no end":                         {"5\r\nhel", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"more after the end":             {hello + sum + "\r\nx", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a length with a sign":           {"+" + hello + sum + "\r\n", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a decoded length with a sign":   {hello + sum + "\r\n", "+5", "x-amz-checksum-crc32c", 411, "MissingContentLength"},
		"an invalid length":              {"five\r\nhello\r\n0\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a head that is too long":        {strings.Repeat("0", 5000) + hello + sum + "\r\n", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a trailer that is too long":     {hello + sum[:22] + strings.Repeat(" ", 5000) + sum[22:] + "\r\n", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
		"a chunk longer than it says":    {"4\r\nhello\r\n0\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "IncompleteBody"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			response, body := s.sendChunks(t, test.body, test.decoded, test.trailer)
			require.Equal(t, test.status, response.StatusCode, body)
			if test.code != "" {
				require.Equal(t, test.code, errorIn(t, body).Code, body)
				require.Empty(t, s.keys(t))
				return
			}
			require.Len(t, s.get(t, "k"), must(strconv.Atoi(test.decoded)))
		})
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// sendChunks signs a PUT of the key k whose body is not signed.
func (s *store) sendChunks(t *testing.T, body, decoded, trailer string) (*http.Response, string) {
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if trailer != "" {
		r.Header.Set("X-Amz-Trailer", trailer)
	}
	if decoded != "" {
		r.Header.Set("X-Amz-Decoded-Content-Length", decoded)
	}
	as := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), as, r, payload, "s3", "us-east-1", time.Now()))
	response, err := s.http.Do(r)
	require.NoError(t, err)
	return response, read(t, response.Body)
}
