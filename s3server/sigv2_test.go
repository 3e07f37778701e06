package s3server_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// manualKeys are the credentials of the examples in AWS's manual.
var manualKeys = []s3server.Credential{{
	AccessKeyID: "AKIAIOSFODNN7EXAMPLE",
	SecretKey:   "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}}

// serveAt sends a request to a server without a listener, whose clock stands at a date in the form of RFC 1123.
func serveAt(
	t *testing.T, c s3server.Config, date string, method, url string, header map[string]string,
) *httptest.ResponseRecorder {
	now, err := time.Parse(time.RFC1123Z, date)
	require.NoError(t, err)
	c.Credentials = manualKeys
	c.Now = func() time.Time { return now }
	r := httptest.NewRequest(method, url, http.NoBody)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	s3server.New(c).ServeHTTP(w, r)
	return w
}

// Without Config.Strict, the server accepts signatures of version 2 in headers. The test has the examples of AWS's
// manual, "Signing and authenticating REST requests (signature version 2)".
func TestSignatureV2InHeader(t *testing.T) {
	const host = "http://awsexamplebucket1.us-west-1.s3.amazonaws.com"
	lenient := s3server.Config{
		Buckets: []string{"awsexamplebucket1"},
		Domains: []string{"us-west-1.s3.amazonaws.com"},
	}
	strict := lenient
	strict.Strict = true

	// The manual has a GET and a PUT of puppy.jpg with these dates and signatures.
	const (
		getDate = "Tue, 27 Mar 2007 19:36:42 +0000"
		putDate = "Tue, 27 Mar 2007 21:15:45 +0000"
		getAuth = "AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g="
		putAuth = "AWS AKIAIOSFODNN7EXAMPLE:iqRzw+ileNPu1fhspnRs8nOjjIA="
	)

	tests := []struct {
		name        string
		config      s3server.Config
		serverTime  string
		method, url string
		header      map[string]string
		wantStatus  int
		wantCode    string
	}{
		{
			name:       "the GET of the manual",
			config:     lenient,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          getDate,
				"Authorization": getAuth,
			},
			wantStatus: 404,
			wantCode:   "NoSuchKey",
		},
		{
			name:       "the PUT of the manual",
			config:     lenient,
			serverTime: putDate,
			method:     "PUT",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          putDate,
				"Content-Type":  "image/jpeg",
				"Authorization": putAuth,
			},
			wantStatus: 200,
		},
		{
			name:       "the GET of an ACL in the manual",
			config:     lenient,
			serverTime: "Tue, 27 Mar 2007 19:44:46 +0000",
			method:     "GET",
			url:        "/?acl",
			header: map[string]string{
				"Date":          "Tue, 27 Mar 2007 19:44:46 +0000",
				"Authorization": "AWS AKIAIOSFODNN7EXAMPLE:82ZHiFIjc+WbcwFKGUVEQspPn+0=",
			},
			wantStatus: 200,
		},
		{
			name:       "another Content-Type than that of the signature",
			config:     lenient,
			serverTime: putDate,
			method:     "PUT",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          putDate,
				"Content-Type":  "image/png",
				"Authorization": putAuth,
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "a header that is not signed",
			config:     lenient,
			serverTime: putDate,
			method:     "PUT",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          putDate,
				"Content-Type":  "image/jpeg",
				"X-Amz-Acl":     "public-read",
				"Authorization": putAuth,
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "another object than that of the signature",
			config:     lenient,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/kitten.jpg",
			header: map[string]string{
				"Date":          getDate,
				"Authorization": getAuth,
			},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "an unknown access key",
			config:     lenient,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          getDate,
				"Authorization": "AWS AKIAOTHER:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
			},
			wantStatus: 403,
			wantCode:   "InvalidAccessKeyId",
		},
		{
			name:       "a date that is too old",
			config:     lenient,
			serverTime: putDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          getDate,
				"Authorization": getAuth,
			},
			wantStatus: 403,
			wantCode:   "RequestTimeTooSkewed",
		},
		{
			name:       "no date",
			config:     lenient,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header:     map[string]string{"Authorization": getAuth},
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "no signature",
			config:     lenient,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header:     map[string]string{"Date": getDate, "Authorization": "AWS HELLO"},
			wantStatus: 400,
			wantCode:   "InvalidArgument",
		},
		{
			name:       "a strict server",
			config:     strict,
			serverTime: getDate,
			method:     "GET",
			url:        "/photos/puppy.jpg",
			header: map[string]string{
				"Date":          getDate,
				"Authorization": getAuth,
			},
			wantStatus: 400,
			wantCode:   "InvalidRequest",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := serveAt(t, tt.config, tt.serverTime, tt.method, host+tt.url, tt.header)
			require.Equal(t, tt.wantStatus, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tt.wantCode)
		})
	}
}

// A signature of version 2 covers the name of a header as it is, even if it has characters other than letters.
func TestSignatureV2OfHeaderName(t *testing.T) {
	const at = "Thu, 01 Jan 2026 00:00:00 +0000"
	mac := hmac.New(sha1.New, []byte(manualKeys[0].SecretKey))
	mac.Write([]byte("PUT\n\n\n" + at + "\nx-amz-meta-a+b!:1\n/photos/k"))
	header := map[string]string{
		"Date":            at,
		"X-Amz-Meta-A+b!": "1",
		"Authorization":   "AWS " + manualKeys[0].AccessKeyID + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}

	config := s3server.Config{Buckets: []string{"photos"}}
	w := serveAt(t, config, at, "PUT", "http://127.0.0.1:9000/photos/k", header)
	require.Equal(t, 200, w.Code, w.Body)
}

// The server refuses a signature of version 2 if its own clock differs too much from the client's.
func TestSignatureV2SkewedClock(t *testing.T) {
	when := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	server := s3server.New(s3server.Config{
		Credentials: manualKeys,
		Now:         func() time.Time { return when },
		Buckets:     []string{"photos"},
	})

	// The fault sets the server's clock an hour ahead of the client's.
	server.Inject(s3server.Fault{ClockSkew: time.Hour})

	// A signature covers the method, the path, and the date. In a URL, the time at which the URL
	// expires takes the place of the date.
	sign := func(date string) string {
		mac := hmac.New(sha1.New, []byte(manualKeys[0].SecretKey))
		mac.Write([]byte("GET\n\n\n" + date + "\n/photos/k"))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}

	// Both requests are valid by the client's clock.
	date := when.Format(http.TimeFormat)
	signedByHeaders := httptest.NewRequest("GET", "http://127.0.0.1:9000/photos/k", nil)
	signedByHeaders.Header.Set("Date", date)
	signedByHeaders.Header.Set("Authorization", "AWS "+manualKeys[0].AccessKeyID+":"+sign(date))

	expires := strconv.FormatInt(when.Add(time.Minute).Unix(), 10)
	signedURL := httptest.NewRequest("GET", "http://127.0.0.1:9000/photos/k?"+url.Values{
		"AWSAccessKeyId": {manualKeys[0].AccessKeyID},
		"Expires":        {expires},
		"Signature":      {sign(expires)},
	}.Encode(), nil)

	tests := []struct {
		name    string
		request *http.Request
		want    string // in the response
	}{
		{name: "signed by headers", request: signedByHeaders, want: "RequestTimeTooSkewed"},
		{name: "signed by the URL", request: signedURL, want: "Request has expired"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			server.ServeHTTP(w, tt.request)
			require.Equal(t, 403, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tt.want)
		})
	}
}

// A lenient server accepts URLs as boto3 1.37.9 signs them with version 2. It refuses a URL that was changed.
func TestPresignedURLV2(t *testing.T) {
	const (
		host = "http://127.0.0.1:9000"

		// The URLs are signed for three requests: a download, an upload with two headers of
		// metadata, and a listing. They expire an hour after now.
		get  = "/photos/a%20b/%C3%A4%2B.txt?response-content-disposition=attachment%3B%20filename%3D%22x%22&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=lZanUnxM1FGlDmyXJeGJDZj8Ck0%3D&Expires=1767229200"
		put  = "/photos/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=biFRMzzJT1O5CNHdw4NzlMfIn78%3D&content-type=text%2Fplain&x-amz-meta-a=1&x-amz-meta-a-b=2&Expires=1767229200"
		list = "/photos?versions&prefix=x&encoding-type=url&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=DqxyWZMKJ%2F7JNcZ0SYv1WbEad9A%3D&Expires=1767229200"
		now  = "Thu, 01 Jan 2026 00:00:00 +0000"
	)
	config := s3server.Config{Buckets: []string{"photos"}}
	tests := []struct {
		name        string
		strict      bool
		serverTime  string
		method, url string
		header      map[string]string
		wantStatus  int
		wantCode    string
	}{
		{name: "a download", serverTime: now, method: "GET", url: get, wantStatus: 404, wantCode: "NoSuchKey"},
		{
			name:       "an upload",
			serverTime: now,
			method:     "PUT",
			url:        put,
			header:     map[string]string{"Content-Type": "text/plain"},
			wantStatus: 200,
		},
		{
			name:       "an upload that repeats a signed header",
			serverTime: now,
			method:     "PUT",
			url:        put,
			header:     map[string]string{"Content-Type": "text/plain", "X-Amz-Meta-A": "1"},
			wantStatus: 200,
		},
		{
			name:       "an upload with another value of a signed header",
			serverTime: now,
			method:     "PUT",
			url:        put,
			header:     map[string]string{"Content-Type": "text/plain", "X-Amz-Meta-A": "2"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "an upload without the signed Content-Type",
			serverTime: now,
			method:     "PUT",
			url:        put,
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{name: "a listing", serverTime: now, method: "GET", url: list, wantStatus: 200, wantCode: "ListVersionsResult"},
		{
			name:       "another method",
			serverTime: now,
			method:     "DELETE",
			url:        get,
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "another object",
			serverTime: now,
			method:     "GET",
			url:        strings.Replace(get, ".txt", ".png", 1),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "a later expiry",
			serverTime: now,
			method:     "GET",
			url:        get + "0",
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "another header of the response",
			serverTime: now,
			method:     "GET",
			url:        strings.Replace(get, "attachment", "inline", 1),
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "a parameter that makes it another operation",
			serverTime: now,
			method:     "GET",
			url:        get + "&attributes",
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "a parameter that makes it another operation of a bucket",
			serverTime: now,
			method:     "GET",
			url:        strings.Replace(list, "versions", "versions&ownershipControls", 1),
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "two headers joined to one value",
			serverTime: now,
			method:     "PUT",
			url: strings.Replace(put, "x-amz-meta-a=1&x-amz-meta-a-b=2",
				"x-amz-meta-a=1%0Ax-amz-meta-a-b:2", 1),
			header:     map[string]string{"Content-Type": "text/plain"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "two headers joined to one name",
			serverTime: now,
			method:     "PUT",
			url: strings.Replace(put, "x-amz-meta-a=1&x-amz-meta-a-b=2",
				"x-amz-meta-a:1%0Ax-amz-meta-a-b=2", 1),
			header:     map[string]string{"Content-Type": "text/plain"},
			wantStatus: 403,
			wantCode:   "SignatureDoesNotMatch",
		},
		{
			name:       "expired",
			serverTime: "Thu, 01 Jan 2026 01:00:01 +0000",
			method:     "GET",
			url:        get,
			wantStatus: 403,
			wantCode:   "Request has expired",
		},
		{
			name:       "an expiry that is not a number",
			serverTime: now,
			method:     "GET",
			url:        strings.Replace(get, "1767229200", "soon", 1),
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
		{
			name:       "a strict server",
			strict:     true,
			serverTime: now,
			method:     "GET",
			url:        get,
			wantStatus: 403,
			wantCode:   "AccessDenied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config
			c.Strict = tt.strict
			w := serveAt(t, c, tt.serverTime, tt.method, host+tt.url, tt.header)
			require.Equal(t, tt.wantStatus, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tt.wantCode)
		})
	}
}

// A policy can deny requests with signatures of version 2.
func TestPolicyKnowsSignatureVersion(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var entries []s3server.Entry
	h := s3server.New(s3server.Config{
		Credentials: manualKeys,
		Buckets:     []string{"photos"},
		Now:         func() time.Time { return now },
		Log: func(e s3server.Entry) {
			entries = append(entries, e)
		},
	})

	// The URL has a signature of version 2 that expires an hour after the server's time.
	getV2 := func() (status int) {
		const url = "http://127.0.0.1:9000/photos/a%20b/%C3%A4%2B.txt" +
			"?response-content-disposition=attachment%3B%20filename%3D%22x%22&AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE" +
			"&Signature=lZanUnxM1FGlDmyXJeGJDZj8Ck0%3D&Expires=1767229200"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", url, http.NoBody))
		return w.Code
	}

	// Without a policy, the signature is valid. The object does not exist.
	require.Equal(t, 404, getV2())
	require.Equal(t, manualKeys[0].AccessKeyID, entries[0].AccessKeyID)

	// The owner sets a policy that denies all signatures but those of version 4.
	document := policyOf(
		denyStatement("s3:*", inKeys, `{"StringNotEquals":{"s3:signatureversion":"AWS4-HMAC-SHA256"}}`))
	put := httptest.NewRequest("PUT", "http://127.0.0.1:9000/photos?policy", strings.NewReader(document))
	put.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	owner := aws.Credentials{AccessKeyID: manualKeys[0].AccessKeyID, SecretAccessKey: manualKeys[0].SecretKey}
	require.NoError(t,
		v4.NewSigner().SignHTTP(t.Context(), owner, put, "UNSIGNED-PAYLOAD", "s3", "us-east-1", now))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, put)
	require.Equal(t, 204, w.Code, w.Body)

	// With the policy, the same URL is refused.
	require.Equal(t, 403, getV2())
}

// A lenient server accepts a form as boto3 makes it: with a policy and a signature of version 2.
// Both must be valid.
func TestFormV2(t *testing.T) {
	// The policy is this document in Base64:
	// {"expiration": "2026-11-21T13:45:59Z", "conditions": [{"bucket": "photos"}, {"key": "k"}]}
	fields := func() map[string]string {
		return map[string]string{
			"key":            "k",
			"AWSAccessKeyId": "AKIAIOSFODNN7EXAMPLE",
			"signature":      "S6sQO6aBtUmuMBsdIffRWNASOcw=",
			"policy":         "eyJleHBpcmF0aW9uIjogIjIwMjYtMTEtMjFUMTM6NDU6NTlaIiwgImNvbmRpdGlvbnMiOiBbeyJidWNrZXQiOiAicGhvdG9zIn0sIHsia2V5IjogImsifV19",
		}
	}
	clock := func() time.Time { return time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC) }

	// The form of boto3 is accepted.
	s := startLenient(t, s3server.Config{Buckets: []string{bucket}, Credentials: manualKeys, Now: clock})
	response, _ := s.post(t, s.server.URL+"/"+bucket, fields(), "hello")
	require.Equal(t, http.StatusNoContent, response.StatusCode)

	// A wrong signature is refused, and so is a form without one.
	badlySigned := fields()
	badlySigned["signature"] = "AAAA" + badlySigned["signature"][4:]
	response, body := s.post(t, s.server.URL+"/"+bucket, badlySigned, "hello")
	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Contains(t, body, "SignatureDoesNotMatch")

	unsigned := fields()
	delete(unsigned, "signature")
	response, body = s.post(t, s.server.URL+"/"+bucket, unsigned, "hello")
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Contains(t, body, "InvalidArgument")

	// Even with a valid signature, a policy is refused if the case of one of its names is wrong, or
	// if a condition has no field.
	for _, policy := range []string{
		`{"EXPIRATION":"2026-11-21T13:45:59Z","conditions":[{"bucket":"photos"},{"key":"k"}]}`,
		`{"expiration":"2026-11-21T13:45:59Z","CONDITIONS":[{"bucket":"photos"},{"key":"k"}]}`,
		`{"expiration":"2026-11-21T13:45:59Z","conditions":[{}]}`,
	} {
		form := fields()
		form["policy"] = base64.StdEncoding.EncodeToString([]byte(policy))
		h := hmac.New(sha1.New, []byte(manualKeys[0].SecretKey))
		h.Write([]byte(form["policy"]))
		form["signature"] = base64.StdEncoding.EncodeToString(h.Sum(nil))

		response, body = s.post(t, s.server.URL+"/"+bucket, form, "hello")
		require.Equal(t, http.StatusBadRequest, response.StatusCode, body)
		require.Contains(t, body, "InvalidPolicyDocument")
	}

	// A server that is not lenient knows only version 4.
	strict := startServer(t, s3server.Config{Buckets: []string{bucket}, Credentials: manualKeys, Now: clock})
	response, _ = strict.post(t, strict.server.URL+"/"+bucket, fields(), "hello")
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
}
