package s3server_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// The server decodes a body in unsigned chunks. It refuses a body whose chunks, length or trailer
// are wrong.
func TestBodiesInChunks(t *testing.T) {
	// The valid body is a chunk with the text "hello", an empty chunk, a trailer with the checksum, and an empty line.
	const hello = "5\r\nhello\r\n0\r\n"
	const sum = "x-amz-checksum-crc32c:mnG7TA==\r\n"
	big := strings.Repeat("x", 8192)
	tests := []struct {
		name       string
		body       string
		decoded    string // the announced length of the content
		trailer    string // the name of the announced trailer
		wantStatus int
		wantCode   string
	}{
		{
			name:       "valid",
			body:       hello + sum + "\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 200,
		},
		{
			name:       "valid, LF before the CRLF of the trailer",
			body:       hello + "x-amz-checksum-crc32c:mnG7TA==\n\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 200,
		},
		{
			name:       "text between LF and CRLF of the trailer",
			body:       hello + "x-amz-checksum-crc32c:mnG7TA==\nmore\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "MalformedTrailerError",
		},
		{
			name:       "valid, empty",
			body:       "0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n",
			decoded:    "0",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 200,
		},
		{
			name:       "valid, two chunks",
			body:       "2000\r\n" + big + "\r\n2\r\nxy\r\n0\r\nx-amz-checksum-crc32c:" + crc32c(big+"xy") + "\r\n\r\n",
			decoded:    "8194",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 200,
		},
		{
			name:       "small chunk before the last",
			body:       "2\r\nhe\r\n3\r\nllo\r\n0\r\n" + sum + "\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 403,
			wantCode:   "InvalidChunkSizeError",
		},
		{
			name:       "wrong checksum",
			body:       hello + "x-amz-checksum-crc32c:AAAAAA==\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "invalid checksum",
			body:       hello + "x-amz-checksum-crc32c:hello\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "other trailer than announced",
			body:       hello + "x-amz-checksum-crc32:AAAAAA==\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "MalformedTrailerError",
		},
		{
			name:       "empty trailer",
			body:       hello + "x-amz-checksum-crc32c:\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "announced trailer missing",
			body:       hello + "\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "MalformedTrailerError",
		},
		{
			name:       "trailer not announced",
			body:       hello + sum + "\r\n",
			decoded:    "5",
			wantStatus: 400,
			wantCode:   "MalformedTrailerError",
		},
		{name: "valid, without trailer", body: hello + "\r\n", decoded: "5", wantStatus: 200},
		{
			name:       "body longer than announced",
			body:       hello + sum + "\r\n",
			decoded:    "4",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "body shorter than announced",
			body:       hello + sum + "\r\n",
			decoded:    "6",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "length of the content missing",
			body:       hello + sum + "\r\n",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 411,
			wantCode:   "MissingContentLength",
		},
		{
			name:       "end of the body missing",
			body:       "5\r\nhel",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "text after the end of the body",
			body:       hello + sum + "\r\nx",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "length of a chunk with a sign",
			body:       "+" + hello + sum + "\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "length of the content with a sign",
			body:       hello + sum + "\r\n",
			decoded:    "+5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 411,
			wantCode:   "MissingContentLength",
		},
		{
			name:       "length of a chunk invalid",
			body:       "five\r\nhello\r\n0\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "head of a chunk too long",
			body:       strings.Repeat("0", 5000) + hello + sum + "\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "trailer too long",
			body:       hello + "x-amz-checksum-crc32c:" + strings.Repeat(" ", 5000) + "mnG7TA==\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
		{
			name:       "chunk longer than its length",
			body:       "4\r\nhello\r\n0\r\n\r\n",
			decoded:    "5",
			trailer:    "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "IncompleteBody",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			response, body := s.sendChunks(t, tt.body, tt.decoded, tt.trailer)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
				require.Empty(t, s.keys(t))
				return
			}
			require.Len(t, s.get(t, "k"), must(strconv.Atoi(tt.decoded)))
		})
	}
}

// The server accepts a checksum in a header even if the client also announces it in a trailer that it does not send,
// as the AWS SDK for Java v2 does.
func TestChunkedBodyWithChecksumInHeader(t *testing.T) {
	const right, wrong = "mnG7TA==", "AAAAAA=="
	tests := []struct {
		name       string
		header     string // the checksum in the header
		announced  string // the name of the trailer that a header announces
		sent       string // the trailer that follows the body
		wantStatus int
		wantCode   string
	}{
		{name: "only the header", header: right, wantStatus: 200},
		{name: "trailer announced", header: right, announced: "x-amz-checksum-crc32c", wantStatus: 200},
		{
			name:       "trailer announced in capitals",
			header:     right,
			announced:  "X-Amz-Checksum-CRC32C",
			wantStatus: 200,
		},
		{
			name:       "trailer announced, wrong checksum in the header",
			header:     wrong,
			announced:  "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "BadDigest",
		},
		{
			name:       "trailer announced and sent",
			header:     right,
			announced:  "x-amz-checksum-crc32c",
			sent:       "x-amz-checksum-crc32c:" + right + "\r\n",
			wantStatus: 400,
			wantCode:   "MalformedTrailerError",
		},
		{
			name:       "trailer of another algorithm announced",
			header:     right,
			announced:  "x-amz-checksum-crc32",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
		{
			name:       "trailer announced, header missing",
			announced:  "x-amz-checksum-crc32c",
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			header := http.Header{}
			if tt.header != "" {
				header.Set("X-Amz-Checksum-Crc32c", tt.header)
				header.Set("X-Amz-Sdk-Checksum-Algorithm", "CRC32C")
			}
			if tt.announced != "" {
				header.Set("X-Amz-Trailer", tt.announced)
			}

			response, body := s.sendSignedChunks(t, "hello", tt.sent, header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantCode != "" {
				require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
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
	s := startServer(t, s3server.Config{})

	response, body := s.sendChunks(t, "5\r\nhello\r\n0\r\n\r\n", "5", "")
	require.Equal(t, http.StatusOK, response.StatusCode, body)
	require.NotEmpty(t, response.Header.Get("X-Amz-Checksum-Crc64nvme"))
}

// must returns the value of a call that cannot fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// sendChunks sends a PUT of the object k with a signed header and an unsigned body in chunks. It returns the response
// and its body.
func (s *store) sendChunks(t *testing.T, body, decoded, trailer string) (*http.Response, string) {
	const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k",
		strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if trailer != "" {
		r.Header.Set("X-Amz-Trailer", trailer)
	}
	if decoded != "" {
		r.Header.Set("X-Amz-Decoded-Content-Length", decoded)
	}
	as := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), as, r, payload, "s3", "us-east-1", time.Now()))
	response, err := s.http.Do(r)
	require.NoError(t, err)
	return response, readBody(t, response.Body)
}

// sendSignedChunks puts content into the object k in one signed chunk. The trailer follows the empty last chunk.
func (s *store) sendSignedChunks(
	t *testing.T, content, trailer string, header http.Header,
) (*http.Response, string) {
	// The signed headers announce a body of signed chunks.
	const payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k", http.NoBody)
	require.NoError(t, err)
	maps.Copy(r.Header, header)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.Itoa(len(content)))
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	now := time.Now().UTC()
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), owner, r, payload, "s3", "us-east-1", now))

	// The signature of each chunk covers the signature of the chunk before it. The first chunk's signature covers the
	// signature of the headers.
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	scope := sign.Scope{Date: now.Format("20060102"), Region: "us-east-1", Service: sign.Service}
	key := sign.Key(owner.SecretAccessKey, scope)
	var body strings.Builder
	for _, chunk := range []string{content, ""} {
		chunkHash := sha256.Sum256([]byte(chunk))
		signature = sign.HexMAC(key, strings.Join([]string{
			sign.Algorithm + "-PAYLOAD",
			r.Header.Get("X-Amz-Date"),
			scope.String(),
			signature,
			emptyHash,
			hex.EncodeToString(chunkHash[:]),
		}, "\n"))
		fmt.Fprintf(&body, "%x;chunk-signature=%s\r\n%s", len(chunk), signature, chunk)
		if chunk != "" {
			body.WriteString("\r\n")
		}
	}
	body.WriteString(trailer + "\r\n")

	return s.send(t, "PUT", r.URL.String(), strings.NewReader(body.String()), r.Header)
}
