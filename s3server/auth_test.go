package s3server_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// signed is a request with a body of 5 bytes, which as signs.
func signed(t *testing.T, s *store, as aws.Credentials, service, region string, when time.Time, change func(*http.Request)) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k", strings.NewReader("hello"))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("X-Amz-Meta-A", "b c")
	require.NoError(t, v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	}).
		SignHTTP(t.Context(), as, r, r.Header.Get("X-Amz-Content-Sha256"), service, region, when))
	if change != nil {
		change(r)
	}
	return r
}

// Signatures in headers are verified.
func TestSignatureInHeader(t *testing.T) {
	s := start(t, s3server.Config{})
	owner := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
	with := func(access, secret, token string) aws.Credentials {
		return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, SessionToken: token}
	}
	now := time.Now().UTC()
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, test := range map[string]struct {
		as              aws.Credentials
		service, region string
		at              time.Time
		change          func(*http.Request)
		status          int
		code            string
	}{
		"right": {owner, "s3", "us-east-1", now, nil, 200, ""},
		// Some SDKs sign a tab as a space, and S3 does, too: https://github.com/aws/aws-sdk-net/issues/1222
		"right, with a tab":        {owner, "s3", "us-east-1", now, set("X-Amz-Meta-A", "b\t c"), 200, ""},
		"right, 14 minutes ago":    {owner, "s3", "us-east-1", now.Add(-14 * time.Minute), nil, 200, ""},
		"16 minutes ago":           {owner, "s3", "us-east-1", now.Add(-16 * time.Minute), nil, 403, "RequestTimeTooSkewed"},
		"16 minutes ahead":         {owner, "s3", "us-east-1", now.Add(16 * time.Minute), nil, 403, "RequestTimeTooSkewed"},
		"another secret":           {with(owner.AccessKeyID, "x", ""), "s3", "us-east-1", now, nil, 403, "SignatureDoesNotMatch"},
		"another key":              {with("AKIAX", "x", ""), "s3", "us-east-1", now, nil, 403, "InvalidAccessKeyId"},
		"a token that is not ours": {with(owner.AccessKeyID, owner.SecretAccessKey, "t"), "s3", "us-east-1", now, nil, 400, "InvalidToken"},
		"another region":           {owner, "s3", "eu-west-1", now, nil, 400, "AuthorizationHeaderMalformed"},
		"another service":          {owner, "ec2", "us-east-1", now, nil, 400, "AuthorizationHeaderMalformed"},
		"another method": {owner, "s3", "us-east-1", now, func(r *http.Request) {
			r.Method = "POST"
			r.URL.RawQuery = "uploads"
		}, 403, "SignatureDoesNotMatch"},
		"another key in the path": {owner, "s3", "us-east-1", now, func(r *http.Request) {
			r.URL.Path += "2"
		}, 403, "SignatureDoesNotMatch"},
		"a parameter more": {owner, "s3", "us-east-1", now, func(r *http.Request) {
			r.URL.RawQuery = "x-id=PutObject"
		}, 403, "SignatureDoesNotMatch"},
		"a changed header":              {owner, "s3", "us-east-1", now, set("X-Amz-Meta-A", "c"), 403, "SignatureDoesNotMatch"},
		"spaces in a header count once": {owner, "s3", "us-east-1", now, set("X-Amz-Meta-A", " b   c "), 200, ""},
		"a header of AWS's more":        {owner, "s3", "us-east-1", now, set("X-Amz-Meta-C", "c"), 403, "AccessDenied"},
		"another header more":           {owner, "s3", "us-east-1", now, set("Cache-Control", "no-store"), 200, ""},
		"another body":                  {owner, "s3", "us-east-1", now, set("X-Amz-Content-Sha256", emptyHash), 403, "SignatureDoesNotMatch"},
		"no hash of the body":           {owner, "s3", "us-east-1", now, func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, 400, "InvalidRequest"},
		"no date":                       {owner, "s3", "us-east-1", now, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, 403, "AccessDenied"},
		"another scheme":                {owner, "s3", "us-east-1", now, set("Authorization", "Bearer x"), 400, "InvalidArgument"},
		"version 2":                     {owner, "s3", "us-east-1", now, set("Authorization", "AWS a:b"), 400, "InvalidRequest"},
		"no signature":                  {owner, "s3", "us-east-1", now, replace("Signature=", "Sign="), 400, "AuthorizationHeaderMalformed"},
		"another day in the scope":      {owner, "s3", "us-east-1", now, replace("/20", "/19"), 400, "AuthorizationHeaderMalformed"},
		"another terminator":            {owner, "s3", "us-east-1", now, replace("aws4_request", "aws5_request"), 400, "AuthorizationHeaderMalformed"},
		"a signature in the query too": {owner, "s3", "us-east-1", now, func(r *http.Request) {
			r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
		}, 400, "InvalidArgument"},
		"none: nothing is for everybody": {owner, "s3", "us-east-1", now, func(r *http.Request) { r.Header.Del("Authorization") }, 403, "AccessDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := s.http.Do(signed(t, s, test.as, test.service, test.region, test.at, test.change))
			require.NoError(t, err)
			body := read(t, response.Body)
			require.Equal(t, test.status, response.StatusCode, body)
			require.NotEmpty(t, response.Header.Get("X-Amz-Request-Id"))
			if test.code != "" {
				e := errorIn(t, body)
				require.Equal(t, test.code, e.Code, body)
				require.Equal(t, response.Header.Get("X-Amz-Request-Id"), e.RequestID)
			}
		})
	}
}

// A plus sign in a path is a space. A signature for the key "a+b", whose plus sign is escaped, must
// not be one for "a b".
func TestSignatureIsForOneKey(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "a b", "secret")
	s.put(t, "a+b", "public")
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("a+b")})
	require.NoError(t, err)
	response, body := s.send(t, "GET", presigned.URL, nil, nil)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "public", body)
	for _, path := range []string{"a+b", "a%20b"} {
		response, body = s.send(t, "GET", strings.Replace(presigned.URL, "a%2Bb", path, 1), nil, nil)
		require.Equal(t, 403, response.StatusCode, path)
		require.NotContains(t, body, "secret")
	}
}

// If a request is signed for a wrong region, the error names the right one.
func TestSignatureOfOtherRegion(t *testing.T) {
	s := start(t, s3server.Config{}, func(o *s3.Options) {
		o.Region = "eu-west-1"
	})
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	failsWith(t, err, 400, "AuthorizationHeaderMalformed")
	require.ErrorContains(t, err, "expecting 'us-east-1'")
	require.Empty(t, s.server.Requests()[0].Query.Get("X-Amz-Signature"))
}

// Credentials with a session token do not work without it.
func TestSignatureNeedsSessionToken(t *testing.T) {
	s := start(t, s3server.Config{Credentials: []s3server.Credential{
		{AccessKeyID: s3server.DefaultAccessKeyID, SecretKey: s3server.DefaultSecretKey, SessionToken: "token"},
	}})
	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	failsWith(t, err, 403, "InvalidAccessKeyId")
	with := s.client(func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID, s3server.DefaultSecretKey, "token")
	})
	_, err = with.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
}

// The server compares the signed hash with the body.
func TestSignatureChecksHashOfBody(t *testing.T) {
	s := start(t, s3server.Config{})
	owner := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
	r := signed(t, s, owner, "s3", "us-east-1", time.Now(), func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader("jello"))
	})
	response, err := s.http.Do(r)
	require.NoError(t, err)
	require.Equal(t, "XAmzContentSHA256Mismatch", errorIn(t, read(t, response.Body)).Code)
	require.Empty(t, s.keys(t))
}

// Presigned URLs are verified.
func TestPresignedURL(t *testing.T) {
	type shaped = func(u url.Values, r *http.Request)
	set := func(name, value string) shaped { return func(q url.Values, _ *http.Request) { q.Set(name, value) } }
	for name, test := range map[string]struct {
		ttl, later time.Duration
		change     shaped
		status     int
		code       string
	}{
		"right":                     {time.Minute, 0, nil, 200, ""},
		"right, with a minute left": {time.Hour, 59 * time.Minute, nil, 200, ""},
		"expired":                   {time.Minute, 2 * time.Minute, nil, 403, "AccessDenied"},
		"from the future":           {time.Minute, -16 * time.Minute, nil, 403, "AccessDenied"},
		"seven days":                {7 * 24 * time.Hour, 6 * 24 * time.Hour, nil, 200, ""},
		"longer than seven days":    {7*24*time.Hour + time.Second, 0, nil, 400, "AuthorizationQueryParametersError"},
		"a longer life than signed": {time.Minute, 2 * time.Minute, set("X-Amz-Expires", "3600"), 403, "SignatureDoesNotMatch"},
		"no life":                   {time.Minute, 0, set("X-Amz-Expires", "x"), 400, "AuthorizationQueryParametersError"},
		"no signature":              {time.Minute, 0, set("X-Amz-Signature", ""), 400, "AuthorizationQueryParametersError"},
		"another type":              {time.Minute, 0, func(_ url.Values, r *http.Request) { r.Header.Set("Content-Type", "image/png") }, 403, "SignatureDoesNotMatch"},
		"another length": {time.Minute, 0, func(_ url.Values, r *http.Request) {
			*r = *withBody(r, "hello!")
		}, 403, "SignatureDoesNotMatch"},
		"metadata that is not signed": {time.Minute, 0, func(_ url.Values, r *http.Request) { r.Header.Set("X-Amz-Meta-A", "b") }, 403, "AccessDenied"},
		"another method": {time.Minute, 0, func(_ url.Values, r *http.Request) {
			r.Method = "DELETE"
			*r = *withBody(r, "")
		}, 403, "SignatureDoesNotMatch"},
		"the condition left out": {time.Minute, 0, func(_ url.Values, r *http.Request) { r.Header.Del("If-None-Match") }, 403, "SignatureDoesNotMatch"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			input := putInput("a b+c", "")
			input.ContentType = aws.String("text/plain")
			input.ContentLength = aws.Int64(5)
			input.IfNoneMatch = aws.String("*")
			input.Body = nil
			presigned, err := s3.NewPresignClient(s.Client, s3.WithPresignExpires(test.ttl)).PresignPutObject(t.Context(), input)
			require.NoError(t, err)
			s.clock.move(test.later)
			r, err := http.NewRequestWithContext(t.Context(), presigned.Method, presigned.URL, nil)
			require.NoError(t, err)
			r = withBody(r, "hello")
			for name, values := range presigned.SignedHeader {
				if name != "Host" && name != "Content-Length" {
					r.Header[name] = values
				}
			}
			if test.change != nil {
				query := r.URL.Query()
				test.change(query, r)
				r.URL.RawQuery = query.Encode()
			}
			response, err := s.http.Do(r)
			require.NoError(t, err)
			body := read(t, response.Body)
			require.Equal(t, test.status, response.StatusCode, body)
			if test.code != "" {
				require.Equal(t, test.code, errorIn(t, body).Code)
			}
		})
	}
}

// The AWS SDK for JavaScript puts signed headers into the URL as well. The client may omit the headers:
// https://github.com/aws/aws-sdk-js-v3/issues/5414, https://github.com/minio/minio/pull/7674.
func TestPresignedURLHeaderAsParameter(t *testing.T) {
	for name, test := range map[string]struct {
		header, parameter string // sent
		status            int
	}{
		"the parameter only":            {"", "b  c", 200},
		"both":                          {"b  c", "b  c", 200},
		"neither":                       {"", "", 403},
		"another header":                {"other", "b  c", 403},
		"another parameter":             {"", "other", 403},
		"the header only":               {"b  c", "", 403},
		"the header, another parameter": {"b  c", "other", 403},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, s3server.Config{})
			target := s.server.URL + "/" + bucket + "/k?X-Amz-Expires=60"
			r, err := http.NewRequestWithContext(t.Context(), "PUT", target+"&x-amz-meta-a=b++c", nil)
			require.NoError(t, err)
			r.Header.Set("X-Amz-Meta-A", "b  c")
			owner := aws.Credentials{AccessKeyID: s3server.DefaultAccessKeyID, SecretAccessKey: s3server.DefaultSecretKey}
			signer := v4.NewSigner(func(o *v4.SignerOptions) {
				o.DisableURIPathEscaping = true
				o.DisableHeaderHoisting = true
			})
			signed, _, err := signer.PresignHTTP(t.Context(), owner, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now().UTC())
			require.NoError(t, err)
			req, err := http.NewRequestWithContext(t.Context(), "PUT", signed, nil)
			require.NoError(t, err)
			query := req.URL.Query()
			require.Equal(t, "host;x-amz-meta-a", query.Get("X-Amz-SignedHeaders"))
			query.Del("x-amz-meta-a")
			if test.parameter != "" {
				query.Set("x-amz-meta-a", test.parameter)
			}
			req.URL.RawQuery = query.Encode()
			if test.header != "" {
				req.Header.Set("X-Amz-Meta-A", test.header)
			}
			response, err := s.http.Do(req)
			require.NoError(t, err)
			require.Equal(t, test.status, response.StatusCode, read(t, response.Body))
			if test.status == http.StatusOK {
				output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
				require.NoError(t, err)
				require.Equal(t, "b  c", output.Metadata["a"])
			}
		})
	}
}

// withBody is r with that body and its length.
func withBody(r *http.Request, body string) *http.Request {
	second, _ := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), strings.NewReader(body))
	second.Header = r.Header
	return second
}

// The bucket's name may be in the host instead of the path.
func TestBucketInHost(t *testing.T) {
	s := start(t, s3server.Config{})
	s.put(t, "k", "content")
	at := s.client(func(o *s3.Options) {
		o.UsePathStyle = false
		o.BaseEndpoint = aws.String(strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1))
		o.HTTPClient = &http.Client{Transport: dialing(t, s)}
	})
	output, err := at.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	require.NoError(t, err)
	require.Equal(t, "content", read(t, output.Body))
	last := s.server.Requests()[len(s.server.Requests())-1]
	require.True(t, strings.HasPrefix(last.Host, bucket+".localhost:"))
	require.Equal(t, "/k", last.Path)
}
