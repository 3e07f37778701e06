package s3server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// The server sends the names of metadata headers in lower case.
func TestHeadersOfMetadataAreInLowerCase(t *testing.T) {
	s := startServer(t, s3server.Config{})
	input := putInput("k", "x")
	input.Metadata = map[string]string{"Foo": "1", "two-Words": "2", "under_Score": "3"}
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
	_, err = s.CopyObject(t.Context(), copyInput("k", "copy"))
	require.NoError(t, err)

	// The client of the SDK would change the case of a name, so read the header as it is sent.
	for _, method := range []string{"GET", "HEAD"} {
		for _, key := range []string{"k", "copy"} {
			response, _ := s.sendSigned(t, method, "/photos/"+key, "", nil)
			require.Equal(t, []string{"1"}, response.Header.Values("x-amz-meta-foo"))
			for name, value := range map[string]string{"foo": "1", "two-words": "2", "under_score": "3"} {
				header := "x-amz-meta-" + name
				require.Equal(t, header+": "+value+"\r\n", s.rawHeader(t, method, key, header))
			}
		}
	}

	// A fault can hide a header with metadata by the header's canonical name.
	s.server.Inject(s3server.Fault{Operation: "HeadObject", Hide: []string{"X-Amz-Meta-Foo"}, Times: 1})
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"two-words": "2", "under_score": "3"}, head.Metadata)
}

// rawHeader returns the line of a header of a GET or HEAD response, as the server sends it. name is in lower case.
func (s *store) rawHeader(t *testing.T, method, key, name string) string {
	t.Helper()
	presigner := s3.NewPresignClient(s.Client)
	presigned, err := presigner.PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	if method == "HEAD" {
		presigned, err = presigner.PresignHeadObject(t.Context(), &s3.HeadObjectInput{
			Bucket: aws.String(bucket),
			Key:    &key,
		})
	}
	require.NoError(t, err)

	host := strings.TrimPrefix(s.server.URL, "http://")
	target := strings.TrimPrefix(presigned.URL, s.server.URL)
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	require.NoError(t, err)
	_, err = fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, target, host)
	require.NoError(t, err)
	for line := range strings.SplitAfterSeq(readBody(t, connection), "\n") {
		if strings.HasPrefix(strings.ToLower(line), name+":") {
			return line
		}
	}
	return ""
}

// The server returns Content-Encoding as the client has sent it, but without aws-chunked.
func TestHeadersKeepContentEncoding(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct{ encoding, want string }{
		{encoding: "gzip", want: "gzip"},
		{encoding: "deflate, gzip", want: "deflate, gzip"},
		{encoding: "deflate,gzip", want: "deflate,gzip"},
		{encoding: "gzip, aws-chunked", want: "gzip"},
		{encoding: "aws-chunked, gzip", want: "gzip"},
		{encoding: "aws-chunked, deflate, gzip", want: "deflate, gzip"},
		{encoding: "aws-chunked"},
		{encoding: "aws-chunked,aws-chunked"},
		{encoding: "AWS-CHUNKED"},
		{encoding: "gzip, Aws-Chunked", want: "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.encoding, func(t *testing.T) {
			header := map[string]string{"Content-Encoding": tt.encoding}
			response, body := s.sendSigned(t, "PUT", "/photos/k", "x", header)
			require.Equal(t, http.StatusOK, response.StatusCode, body)

			response, _ = s.sendSigned(t, "HEAD", "/photos/k", "", nil)
			require.Equal(t, tt.want, response.Header.Get("Content-Encoding"))
		})
	}
}

// The server refuses an empty Content-MD5.
func TestHeadersEmptyContentMD5(t *testing.T) {
	s := startServer(t, s3server.Config{})
	tests := []struct{ method, path string }{
		{method: "PUT", path: "/photos/k"},
		{method: "POST", path: "/photos?delete"},
	}
	for _, tt := range tests {
		t.Run(tt.method, func(t *testing.T) {
			header := map[string]string{"Content-MD5": ""}
			response, body := s.sendSigned(t, tt.method, tt.path, "<Delete/>", header)
			require.Equal(t, http.StatusBadRequest, response.StatusCode)
			require.Equal(t, "InvalidDigest", parseError(t, body).Code)
		})
	}
}

// The server accepts the forms of a signature's date that AWS accepts: those of HTTP and mail, and the short one of
// ISO 8601.
func TestSignatureDateForms(t *testing.T) {
	s := startServer(t, s3server.Config{})
	host := strings.TrimPrefix(s.server.URL, "http://")
	now := time.Now().UTC()
	tests := []struct {
		layout   string // of package time
		accepted bool
	}{
		{layout: http.TimeFormat, accepted: true},
		{layout: "Mon, 02 Jan 2006 15:04:05 -0000", accepted: true},
		{layout: "Mon, 2 Jan 2006 15:04:05 +0000", accepted: true},
		{layout: "20060102T150405Z", accepted: true},
		{layout: "2006-01-02 15:04:05", accepted: false},
		{layout: "02/01/2006 15:04:05", accepted: false},
	}
	for _, tt := range tests {
		t.Run(tt.layout, func(t *testing.T) {
			want := http.StatusForbidden
			if tt.accepted {
				// The server accepts the request, but the object does not exist.
				want = http.StatusNotFound
			}

			// The signature itself is right in any case.
			header := signedByDate(host, now, now.Format(tt.layout))
			response, body := s.send(t, "GET", s.server.URL+"/photos/none", nil, header)
			require.Equal(t, want, response.StatusCode, body)
		})
	}
}

// The server accepts ordinary headers that are not signed, because some clients sign only few. It accepts no unsigned
// x-amz- header except for the hash of the body.
func TestSignatureWithoutSomeHeaders(t *testing.T) {
	tests := []struct {
		name       string // of the unsigned header
		value      string
		wantStatus int
	}{
		{name: "Content-Type", value: "image/png", wantStatus: http.StatusOK},
		{name: "Cache-Control", value: "no-store", wantStatus: http.StatusOK},
		{name: "Content-Md5", value: "XUFAKrxLKna5cZ2REBfFkg==", wantStatus: http.StatusOK},
		{name: "X-Amz-Acl", value: "private", wantStatus: http.StatusForbidden},
		{name: "X-Amz-Meta-A", value: "b", wantStatus: http.StatusForbidden},
		{name: "X-Amz-Storage-Class", value: "STANDARD", wantStatus: http.StatusForbidden},
		{name: "X-Amz-Security-Token", value: "x", wantStatus: http.StatusBadRequest},
	}
	strict := startServer(t, s3server.Config{})
	lenient := startLenient(t, s3server.Config{})
	for _, tt := range tests {
		requireStatus := func(t *testing.T, s *store) {
			// Add the header only after the request is signed. The hash of the body is not signed as a header.
			const signsHashHeader = false
			now := time.Now().UTC()
			host := strings.TrimPrefix(s.server.URL, "http://")
			header := signedWithDate("PUT", "/photos/k", host, now, now.Format(http.TimeFormat), signsHashHeader)
			header.Set(tt.name, tt.value)

			response, body := s.send(t, "PUT", s.server.URL+"/photos/k", strings.NewReader("hello"), header)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantStatus == http.StatusForbidden {
				require.Equal(t, strings.ToLower(tt.name), parseError(t, body).HeadersNotSigned)
			}

			// An accepted header has its effect.
			if tt.name == "Content-Type" {
				response, _ = s.sendSigned(t, "HEAD", "/photos/k", "", nil)
				require.Equal(t, tt.value, response.Header.Get(tt.name))
			}
		}
		t.Run(tt.name+", strict", func(t *testing.T) { requireStatus(t, strict) })
		t.Run(tt.name+", lenient", func(t *testing.T) { requireStatus(t, lenient) })
	}
}

// signedByDate returns the headers of a request for /photos/none that has no x-amz-date.
func signedByDate(host string, t time.Time, date string) http.Header {
	return signedWithDate("GET", "/photos/none", host, t, date, true)
}

// signedWithDate returns the headers of a request that has no x-amz-date. The hash of the body is part of the
// signature. If signsHashHeader is true, the header with the hash is a signed header, too.
func signedWithDate(method, path, host string, t time.Time, date string, signsHashHeader bool) http.Header {
	names := "date;host"
	headers := "date:" + date + "\nhost:" + host + "\n"
	if signsHashHeader {
		names += ";x-amz-content-sha256"
		headers += "x-amz-content-sha256:UNSIGNED-PAYLOAD\n"
	}
	const noQuery = ""
	canonical := strings.Join([]string{method, path, noQuery, headers, names, "UNSIGNED-PAYLOAD"}, "\n")
	canonicalHash := sha256.Sum256([]byte(canonical))

	day := t.Format("20060102")
	scope := day + "/us-east-1/s3/aws4_request"
	text := "AWS4-HMAC-SHA256\n" + t.Format("20060102T150405Z") + "\n" + scope + "\n" +
		hex.EncodeToString(canonicalHash[:])
	key := []byte("AWS4" + s3server.DefaultSecretKey)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = hmacSHA256(key, part)
	}
	return http.Header{
		"Date":                 {date},
		"X-Amz-Content-Sha256": {"UNSIGNED-PAYLOAD"},
		"Authorization": {
			"AWS4-HMAC-SHA256 Credential=" + s3server.DefaultAccessKeyID + "/" + scope +
				",SignedHeaders=" + names + ",Signature=" + hex.EncodeToString(hmacSHA256(key, text)),
		},
	}
}

// hmacSHA256 returns the message authentication code of a text.
func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// UploadPartCopy copies a range of a small source, unless the server is as strict as S3.
func TestUploadPartCopyOfSmallSource(t *testing.T) {
	copyRange := func(s *store) error {
		// A strict server copies a range only from a source that is larger than the smallest part, here 10 bytes.
		s.put(t, "short", "0123456789")
		upload := s.beginUpload(t, "to")
		_, err := s.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
			Bucket:          aws.String(bucket),
			Key:             aws.String("to"),
			UploadId:        &upload,
			PartNumber:      aws.Int32(1),
			CopySource:      aws.String(bucket + "/short"),
			CopySourceRange: aws.String("bytes=2-4"),
		})
		return err
	}

	lenient := startLenient(t, s3server.Config{})
	require.NoError(t, copyRange(lenient))

	strict := startServer(t, s3server.Config{})
	requireFailure(t, copyRange(strict), http.StatusBadRequest, "InvalidRequest")
}

// Config.Limits can raise the limits for headers above those of S3.
func TestHeadersLimitMayBeLarger(t *testing.T) {
	limits := s3server.Limits{MaxHeader: 40 << 10, MaxMetadata: 30 << 10}
	s := startServer(t, s3server.Config{Limits: limits})

	input := putInput("k", "x")
	input.Metadata = map[string]string{"a": strings.Repeat("x", 20<<10)}
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)
}

// A response header that a read asks for is returned as it is if its characters are in Latin-1, and otherwise refused.
func TestHeadersOfReadAreInLatin1(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")
	tests := []struct {
		name         string
		value        string
		wantAccepted bool
	}{
		{name: "tab", value: "attachment; filename=\"a\tb.txt\"", wantAccepted: true},
		{name: "escaped", value: "attachment; filename*=UTF-8''%E2%82%AC", wantAccepted: true},
		{name: "Latin-1", value: "attachment; filename=\"ä.txt\"", wantAccepted: true},
		{name: "not Latin-1", value: "attachment; filename=\"–.txt\"", wantAccepted: false},
		{name: "not UTF-8", value: "attachment; filename=\"\xff.txt\"", wantAccepted: false},
		{name: "NUL", value: "attachment; filename=\"a\x00b\"", wantAccepted: false},
		{name: "line break", value: "attachment\r\nX-Other: b", wantAccepted: false},
		{name: "DEL", value: "attachment\x7f", wantAccepted: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The signature needs spaces as %20.
			value := strings.ReplaceAll(url.QueryEscape(tt.value), "+", "%20")
			response, body := s.sendSigned(t, "GET", "/photos/k?response-content-disposition="+value, "", nil)
			if tt.wantAccepted {
				require.Equal(t, 200, response.StatusCode, body)
				require.Equal(t, tt.value, response.Header.Get("Content-Disposition"))
				return
			}

			// The error names the parameter.
			require.Equal(t, 400, response.StatusCode)
			require.Equal(t, "InvalidArgument", parseError(t, body).Code)
			require.Contains(t, body, "<ArgumentName>response-content-disposition</ArgumentName>")
			require.Empty(t, response.Header.Get("Content-Disposition"))
		})
	}
}
