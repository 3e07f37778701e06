package s3server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// The server returns metadata names in lower case.
func TestHeadersOfMetadataAreInLowerCase(t *testing.T) {
	s := start(t, s3server.Config{})
	input := putInput("k", "x")
	input.Metadata = map[string]string{"Foo": "1", "two-Words": "2", "under_Score": "3"}
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	_, err = s.CopyObject(t.Context(), copyInput("k", "copy"))
	require.NoError(t, err)

	for _, method := range []string{"GET", "HEAD"} {
		for _, key := range []string{"k", "copy"} {
			response, _ := s.signedSend(t, method, "/photos/"+key, "", nil)
			require.Equal(t, []string{"1"}, response.Header.Values("x-amz-meta-foo"))
			require.Equal(t, "x-amz-meta-foo: 1\r\n", s.rawHeader(t, method, key, "x-amz-meta-foo"))
			require.Equal(t, "x-amz-meta-two-words: 2\r\n",
				s.rawHeader(t, method, key, "x-amz-meta-two-words"))
			require.Equal(t, "x-amz-meta-under_score: 3\r\n",
				s.rawHeader(t, method, key, "x-amz-meta-under_score"))
		}
	}

	s.server.Inject(s3server.Fault{Operation: "HeadObject", Hide: []string{"X-Amz-Meta-Foo"}, Times: 1})
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"two-words": "2", "under_score": "3"}, head.Metadata)
}

// rawHeader returns the line of a header as the server sends it.
func (s *store) rawHeader(t *testing.T, method, key, name string) string {
	t.Helper()
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	if method == "HEAD" {
		presigned, err = s3.NewPresignClient(s.Client).PresignHeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
	}
	require.NoError(t, err)
	host := strings.TrimPrefix(s.server.URL, "http://")
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	require.NoError(t, err)
	_, err = io.WriteString(connection,
		method+" "+strings.TrimPrefix(presigned.URL, s.server.URL)+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	for line := range strings.SplitAfterSeq(readBody(t, connection), "\n") {
		if strings.HasPrefix(strings.ToLower(line), name+":") {
			return line
		}
	}
	return ""
}

// The server returns Content-Encoding as the client sent it, but without aws-chunked.
func TestHeadersKeepContentEncoding(t *testing.T) {
	s := start(t, s3server.Config{})
	for encoding, want := range map[string]string{
		"gzip":                       "gzip",
		"deflate, gzip":              "deflate, gzip",
		"deflate,gzip":               "deflate,gzip",
		"gzip, aws-chunked":          "gzip",
		"aws-chunked, gzip":          "gzip",
		"aws-chunked, deflate, gzip": "deflate, gzip",
		"aws-chunked":                "",
		"aws-chunked,aws-chunked":    "",
		"AWS-CHUNKED":                "",
		"gzip, Aws-Chunked":          "gzip",
	} {
		response, body := s.signedSend(t, "PUT", "/photos/k", "x", map[string]string{
			"Content-Encoding": encoding,
		})
		require.Equal(t, http.StatusOK, response.StatusCode, body)
		response, _ = s.signedSend(t, "HEAD", "/photos/k", "", nil)
		require.Equal(t, want, response.Header.Get("Content-Encoding"), "%q", encoding)
	}
}

// The server refuses an empty Content-MD5.
func TestHeadersEmptyContentMD5(t *testing.T) {
	s := start(t, s3server.Config{})
	for path, method := range map[string]string{"/photos/k": "PUT", "/photos?delete": "POST"} {
		response, body := s.signedSend(t, method, path, "<Delete/>", map[string]string{"Content-MD5": ""})
		require.Equal(t, http.StatusBadRequest, response.StatusCode, path)
		require.Equal(t, "InvalidDigest", parseError(t, body).Code, path)
	}
}

// The server accepts each form of a signature's date that AWS accepts.
func TestSignatureDateForms(t *testing.T) {
	s := start(t, s3server.Config{})
	now := time.Now().UTC()
	for form, status := range map[string]int{
		http.TimeFormat:                   http.StatusNotFound,
		"Mon, 02 Jan 2006 15:04:05 -0000": http.StatusNotFound,
		"Mon, 2 Jan 2006 15:04:05 +0000":  http.StatusNotFound,
		"20060102T150405Z":                http.StatusNotFound,
		"2006-01-02 15:04:05":             http.StatusForbidden,
		"02/01/2006 15:04:05":             http.StatusForbidden,
	} {
		response, body := s.send(t, "GET", s.server.URL+"/photos/none", nil,
			signedByDate(strings.TrimPrefix(s.server.URL, "http://"), now, now.Format(form)))
		require.Equal(t, status, response.StatusCode, "%s: %s", form, body)
	}
}

// The server accepts unsigned Content-Type, as minio-go, minio-js, minio-java and Bun send it. The same holds for
// an unsigned hash of the body, as Evaporate sends it.
func TestSignatureWithoutSomeHeaders(t *testing.T) {
	for _, strict := range []bool{true, false} {
		s := open(t, s3server.Config{Strict: strict})
		now := time.Now().UTC()
		tests := map[string]struct {
			value  string
			status int
		}{
			"Content-Type":         {"image/png", http.StatusOK},
			"Cache-Control":        {"no-store", http.StatusOK},
			"Content-Md5":          {"XUFAKrxLKna5cZ2REBfFkg==", http.StatusOK},
			"X-Amz-Acl":            {"private", http.StatusForbidden},
			"X-Amz-Meta-A":         {"b", http.StatusForbidden},
			"X-Amz-Storage-Class":  {"STANDARD", http.StatusForbidden},
			"X-Amz-Security-Token": {"x", http.StatusBadRequest},
		}
		for name, tt := range tests {
			header := signedWithDate("PUT", "/photos/k", strings.TrimPrefix(s.server.URL, "http://"),
				now, now.Format(http.TimeFormat), false)
			header.Set(name, tt.value)
			response, body := s.send(t, "PUT", s.server.URL+"/photos/k", strings.NewReader("hello"), header)
			require.Equal(t, tt.status, response.StatusCode, "strict %v, %s: %s", strict, name, body)
			if tt.status == http.StatusForbidden {
				require.Equal(t, strings.ToLower(name), parseError(t, body).HeadersNotSigned)
			}
			if name == "Content-Type" {
				response, _ = s.signedSend(t, "HEAD", "/photos/k", "", nil)
				require.Equal(t, tt.value, response.Header.Get(name))
			}
		}
	}
}

// signedByDate returns the headers of a request for /photos/none that has no x-amz-date.
func signedByDate(host string, t time.Time, date string) http.Header {
	return signedWithDate("GET", "/photos/none", host, t, date, true)
}

// signedWithDate returns the headers of a request that has no x-amz-date. The hash of its body is a
// signed header, or only part of the signature.
func signedWithDate(method, path, host string, t time.Time, date string, hashHeader bool) http.Header {
	names := "date;host"
	headers := "date:" + date + "\nhost:" + host + "\n"
	if hashHeader {
		names = names + ";x-amz-content-sha256"
		headers = headers + "x-amz-content-sha256:UNSIGNED-PAYLOAD\n"
	}
	stamp := t.Format("20060102T150405Z")
	scope := t.Format("20060102") + "/us-east-1/s3/aws4_request"
	canonical := method + "\n" + path + "\n\n" + headers + "\n" + names + "\nUNSIGNED-PAYLOAD"
	hash := sha256.Sum256([]byte(canonical))
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	key := mac(mac(mac(mac([]byte("AWS4"+s3server.DefaultSecretKey), t.Format("20060102")), "us-east-1"),
		"s3"), "aws4_request")
	signature := hex.EncodeToString(mac(key,
		"AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(hash[:])))
	return http.Header{
		"Date":                 {date},
		"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"},
		"Authorization":        {"AWS4-HMAC-SHA256 Credential=" + s3server.DefaultAccessKeyID + "/" + scope + ",SignedHeaders=" + names + ",Signature=" + signature},
	}
}

// UploadPartCopy copies a range of a small source. With Config.Strict, it fails with InvalidRequest.
func TestUploadPartCopyOfSmallSource(t *testing.T) {
	for strict, want := range map[bool]string{true: "InvalidRequest", false: ""} {
		s := open(t, s3server.Config{Strict: strict})
		s.put(t, "short", "0123456789")
		upload := s.begin(t, "to")
		_, err := s.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket:          aws.String(bucket),
			Key:             aws.String("to"),
			UploadId:        &upload,
			PartNumber:      aws.Int32(1),
			CopySource:      aws.String(bucket + "/short"),
			CopySourceRange: aws.String("bytes=2-4"),
		})
		if want != "" {
			requireFailure(t, err, http.StatusBadRequest, want)
			continue
		}
		require.NoError(t, err)
	}
}

// The config can raise the limits for headers.
func TestHeadersLimitMayBeLarger(t *testing.T) {
	s := start(t, s3server.Config{Limits: s3server.Limits{MaxHeader: 40 << 10, MaxMetadata: 30 << 10}})
	input := putInput("k", "x")
	input.Metadata = map[string]string{"a": strings.Repeat("x", 20<<10)}
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
}

// The server returns response headers that a read asks for in Latin-1, as Amazon S3 does for unencoded file names.
func TestHeadersOfReadAreInLatin1(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	for value, code := range map[string]string{
		"attachment; filename=\"a\tb.txt\"":      "",
		"attachment; filename*=UTF-8''%E2%82%AC": "",
		"attachment; filename=\"ä.txt\"":         "",
		"attachment; filename=\"–.txt\"":         "InvalidArgument",
		"attachment; filename=\"\xff.txt\"":      "InvalidArgument",
		"attachment; filename=\"a\x00b\"":        "InvalidArgument",
		"attachment\r\nX-Other: b":               "InvalidArgument",
		"attachment\x7f":                         "InvalidArgument",
	} {
		response, body := s.signedSend(t, "GET",
			"/photos/k?response-content-disposition="+strings.ReplaceAll(url.QueryEscape(value), "+", "%20"), "", nil)
		if code == "" {
			require.Equal(t, 200, response.StatusCode, "%q: %s", value, body)
			require.Equal(t, value, response.Header.Get("Content-Disposition"))
			continue
		}
		require.Equal(t, 400, response.StatusCode, "%q", value)
		require.Equal(t, code, parseError(t, body).Code, "%q", value)
		require.Contains(t, body, "<ArgumentName>response-content-disposition</ArgumentName>")
		require.Empty(t, response.Header.Get("Content-Disposition"))
	}
}
