package s3server_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// newDocumentedServer returns a server with the access key, the time and the bucket of the examples of signatures that AWS
// publishes.
func newDocumentedServer() *s3server.Handler {
	return s3server.New(s3server.Config{
		Strict: true,
		Credentials: []s3server.Credential{{
			AccessKeyID: "AKIAIOSFODNN7EXAMPLE",
			SecretKey:   "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		}},
		Buckets: []string{"examplebucket"},
		Now:     func() time.Time { return time.Date(2013, 5, 24, 0, 1, 0, 0, time.UTC) },
	})
}

const documentedCredential = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"

// responseOf returns the response of a handler.
func responseOf(
	h http.Handler, method, url string, body io.Reader, header map[string]string,
) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, body)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The server accepts the Authorization header of AWS's documentation.
func TestSignatureInHeaderAsDocumented(t *testing.T) {
	const url = "http://examplebucket.s3.amazonaws.com/test.txt"
	header := map[string]string{
		"Range":                "bytes=0-9",
		"X-Amz-Content-Sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"X-Amz-Date":           "20130524T000000Z",
		"Authorization": documentedCredential + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," +
			"Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	}

	w := responseOf(newDocumentedServer(), "GET", url, nil, header)
	require.Equal(t, "NoSuchKey", parseError(t, w.Body.String()).Code, "the signature is valid")
}

// The server accepts the presigned URL of AWS's documentation.
func TestSignatureInQueryAsDocumented(t *testing.T) {
	const url = "http://examplebucket.s3.amazonaws.com/test.txt" +
		"?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
		"&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z" +
		"&X-Amz-Expires=86400" +
		"&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

	w := responseOf(newDocumentedServer(), "GET", url, nil, nil)
	require.Equal(t, "NoSuchKey", parseError(t, w.Body.String()).Code, "the signature is valid")
}

// documentedUpload is the URL of AWS's examples of uploads in chunks.
const documentedUpload = "http://s3.amazonaws.com/examplebucket/chunkObject.txt"

// signedChunks returns a body of 65 KiB of the letter a, with the signature of each chunk. As in
// AWS's examples, the chunks have 64 KiB, 1 KiB and 0 bytes.
func signedChunks(signatures ...string) string {
	var b strings.Builder
	for i, size := range []int{64 << 10, 1 << 10, 0} {
		fmt.Fprintf(&b, "%x;chunk-signature=%s\r\n", size, signatures[i])
		if size > 0 {
			b.WriteString(strings.Repeat("a", size) + "\r\n")
		}
	}
	return b.String()
}

// The server accepts the chunk signatures of AWS's documentation, and refuses a chunk with another content.
func TestSignatureOfChunksAsDocumented(t *testing.T) {
	// The content is 65 KiB of the letter a, in three chunks with these signatures.
	body := signedChunks(
		"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
		"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
	) + "\r\n"
	header := map[string]string{
		"Content-Encoding":             "aws-chunked",
		"X-Amz-Content-Sha256":         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"X-Amz-Date":                   "20130524T000000Z",
		"X-Amz-Decoded-Content-Length": "66560",
		"X-Amz-Storage-Class":          "REDUCED_REDUNDANCY",
		"Authorization": documentedCredential +
			"SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;" +
			"x-amz-decoded-content-length;x-amz-storage-class," +
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	}
	send := func(body string) *httptest.ResponseRecorder {
		return responseOf(newDocumentedServer(), "PUT", documentedUpload, strings.NewReader(body), header)
	}

	const documentedLength = 66824 // with the lines of the signatures
	require.Len(t, body, documentedLength)
	require.Equal(t, http.StatusOK, send(body).Code, send(body).Body)

	// Another letter does not match the signature of its chunk.
	modified := strings.Replace(body, "aaaa", "aaab", 1)
	require.Equal(t, "SignatureDoesNotMatch", parseError(t, send(modified).Body.String()).Code)
}

// A trailer is a header that follows the body. The server accepts the trailer's signature in AWS's
// documentation, and refuses another trailer.
func TestSignatureOfTrailerAsDocumented(t *testing.T) {
	// The content is 65 KiB of the letter a, in three chunks with these signatures.
	body := signedChunks(
		"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
		"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
		"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
	) +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	header := map[string]string{
		"Content-Encoding":             "aws-chunked",
		"X-Amz-Content-Sha256":         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
		"X-Amz-Date":                   "20130524T000000Z",
		"X-Amz-Decoded-Content-Length": "66560",
		"X-Amz-Storage-Class":          "REDUCED_REDUNDANCY",
		"X-Amz-Trailer":                "x-amz-checksum-crc32c",
		"Authorization": documentedCredential +
			"SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;" +
			"x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer," +
			"Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
	}
	send := func(body string) *httptest.ResponseRecorder {
		return responseOf(newDocumentedServer(), "PUT", documentedUpload, strings.NewReader(body), header)
	}

	// The documented request is accepted.
	w := send(body)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "sOO8/Q==", w.Header().Get("X-Amz-Checksum-Crc32c"))

	// Another checksum does not match the signature of the trailer.
	modified := strings.Replace(body, "sOO8", "sOO9", 1)
	require.Equal(t, "SignatureDoesNotMatch", parseError(t, send(modified).Body.String()).Code)

	// A trailer must have the name that the header X-Amz-Trailer announces.
	unannounced := strings.Replace(body, "crc32c:", "crc32:", 1)
	require.Equal(t, "MalformedTrailerError", parseError(t, send(unannounced).Body.String()).Code)
}
