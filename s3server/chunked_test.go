package s3server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// The server decodes a body in unsigned chunks. It refuses one whose chunks, length or trailer are wrong.
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
		"right":          {hello + sum + "\r\n", "5", "x-amz-checksum-crc32c", 200, ""},
		"LF before CRLF": {hello + "x-amz-checksum-crc32c:mnG7TA==\n\r\n\r\n", "5", "x-amz-checksum-crc32c", 200, ""},
		"text between LF and CRLF": {
			hello + "x-amz-checksum-crc32c:mnG7TA==\nmore\r\n\r\n",
			"5", "x-amz-checksum-crc32c", 400, "MalformedTrailerError",
		},
		"empty":                          {"0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n", "0", "x-amz-checksum-crc32c", 200, ""},
		"two chunks":                     {"2000\r\n" + big + "\r\n2\r\nxy\r\n0\r\nx-amz-checksum-crc32c:" + crc32c(big+"xy") + "\r\n\r\n", "8194", "x-amz-checksum-crc32c", 200, ""},
		"a small chunk before the last":  {"2\r\nhe\r\n3\r\nllo\r\n0\r\n" + sum + "\r\n", "5", "x-amz-checksum-crc32c", 403, "InvalidChunkSizeError"},
		"another checksum":               {hello + "x-amz-checksum-crc32c:AAAAAA==\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "BadDigest"},
		"an invalid checksum":            {hello + "x-amz-checksum-crc32c:hello\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "InvalidRequest"},
		"another trailer than announced": {hello + "x-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "MalformedTrailerError"},
		"an empty trailer":               {hello + "x-amz-checksum-crc32c:\r\n\r\n", "5", "x-amz-checksum-crc32c", 400, "InvalidRequest"},
		"no trailer":                     {hello + "\r\n", "5", "x-amz-checksum-crc32c", 400, "MalformedTrailerError"},
		"none announced":                 {hello + sum + "\r\n", "5", "", 400, "MalformedTrailerError"},
		"none announced, and none comes": {hello + "\r\n", "5", "", 200, ""},
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

// The AWS SDK for Java v2 sends a checksum in a header, and also announces it in a trailer that it does not send.
// The server accepts that.
func TestChunkedBodyWithChecksumInHeader(t *testing.T) {
	const right, wrong = "mnG7TA==", "AAAAAA=="
	for _, c := range []struct {
		name, value, trailer, comes string
		status                      int
		code                        string
	}{
		{"no trailer announced", right, "", "", 200, ""},
		{"the same announced", right, "x-amz-checksum-crc32c", "", 200, ""},
		{"the same announced, in capitals", right, "X-Amz-Checksum-CRC32C", "", 200, ""},
		{"the same announced, and wrong", wrong, "x-amz-checksum-crc32c", "", 400, "BadDigest"},
		{"the same announced, and it comes", right, "x-amz-checksum-crc32c", "x-amz-checksum-crc32c:" + right + "\r\n", 400, "MalformedTrailerError"},
		{"another announced", right, "x-amz-checksum-crc32", "", 400, "InvalidRequest"},
		{"announced, and not in a header", "", "x-amz-checksum-crc32c", "", 400, "InvalidRequest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			header := http.Header{}
			if c.value != "" {
				header.Set("X-Amz-Checksum-Crc32c", c.value)
				header.Set("X-Amz-Sdk-Checksum-Algorithm", "CRC32C")
			}
			if c.trailer != "" {
				header.Set("X-Amz-Trailer", c.trailer)
			}
			response, body := s.sendSignedChunks(t, "hello", c.comes, header)
			require.Equal(t, c.status, response.StatusCode, body)
			if c.code != "" {
				require.Equal(t, c.code, errorIn(t, body).Code, body)
				require.Empty(t, s.keys(t))
				return
			}
			require.Equal(t, right, response.Header.Get("X-Amz-Checksum-Crc32c"))
			require.Equal(t, "hello", s.get(t, "k"))
		})
	}
}

// If an unsigned chunked body has no trailer, the object gets the default checksum.
func TestChunkedBodyWithoutTrailer(t *testing.T) {
	s := start(t, s3server.Config{})
	response, body := s.sendChunks(t, "5\r\nhello\r\n0\r\n\r\n", "5", "")
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	require.NotEmpty(t, response.Header.Get("X-Amz-Checksum-Crc64nvme"))
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

// sendSignedChunks puts the key k as one signed chunk, with the trailer lines.
func (s *store) sendSignedChunks(t *testing.T, content, trailer string, header http.Header) (*http.Response, string) {
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k", http.NoBody)
	require.NoError(t, err)
	maps.Copy(r.Header, header)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(content)))
	as := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
	now := time.Now().UTC()
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), as, r, payload, "s3", "us-east-1", now))
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	scope := sign.Scope{Date: now.Format("20060102"), Region: "us-east-1", Service: sign.Service}
	var b strings.Builder
	for _, chunk := range []string{content, ""} {
		hash := sha256.Sum256([]byte(chunk))
		empty := sha256.Sum256(nil)
		signature = sign.HexMAC(sign.Key(as.SecretAccessKey, scope), strings.Join([]string{
			sign.Algorithm + "-PAYLOAD", r.Header.Get("X-Amz-Date"), scope.String(), signature,
			hex.EncodeToString(empty[:]), hex.EncodeToString(hash[:]),
		}, "\n"))
		b.WriteString(strconv.FormatInt(int64(len(chunk)), 16) + ";chunk-signature=" + signature + "\r\n" + chunk)
		if chunk != "" {
			b.WriteString("\r\n")
		}
	}
	return s.send(t, "PUT", r.URL.String(), strings.NewReader(b.String()+trailer+"\r\n"), r.Header)
}
