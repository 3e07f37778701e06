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

// helloHash is the SHA-256 of "hello".
const helloHash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// newSignedRequest returns a request that puts "hello" into the object k, signed with credentials. If change is not
// nil, it changes the request after it is signed.
func newSignedRequest(
	t *testing.T, s *store, credentials aws.Credentials, service, region string, date time.Time,
	change func(*http.Request),
) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), "PUT", s.server.URL+"/"+bucket+"/k",
		strings.NewReader("hello"))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Content-Sha256", helloHash)
	r.Header.Set("Content-Type", "text/plain")
	r.Header.Set("X-Amz-Meta-A", "b c")
	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	})
	require.NoError(t, signer.SignHTTP(t.Context(), credentials, r, helloHash, service, region, date))
	if change != nil {
		change(r)
	}
	return r
}

// Signatures in headers are verified.
func TestSignatureInHeader(t *testing.T) {
	s := startServer(t, s3server.Config{})
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	newCredentials := func(access, secret, token string) aws.Credentials {
		return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, SessionToken: token}
	}
	now := time.Now().UTC()
	replace := func(old, new string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set(name, value)
		}
	}

	tests := []struct {
		name            string
		as              aws.Credentials
		service, region string
		at              time.Time
		change          func(*http.Request)
		status          int
		code            string
	}{
		{name: "right", as: owner, service: "s3", region: "us-east-1", at: now, status: 200},
		// Some SDKs sign a tab as a space, and S3 does, too: https://github.com/aws/aws-sdk-net/issues/1222
		{
			name:    "right, with a tab",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("X-Amz-Meta-A", "b\t c"),
			status:  200,
		},
		{
			name:    "right, 14 minutes ago",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now.Add(-14 * time.Minute),
			status:  200,
		},
		{
			name:    "16 minutes ago",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now.Add(-16 * time.Minute),
			status:  403,
			code:    "RequestTimeTooSkewed",
		},
		{
			name:    "16 minutes ahead",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now.Add(16 * time.Minute),
			status:  403,
			code:    "RequestTimeTooSkewed",
		},
		{
			name:    "another secret",
			as:      newCredentials(owner.AccessKeyID, "x", ""),
			service: "s3",
			region:  "us-east-1",
			at:      now,
			status:  403,
			code:    "SignatureDoesNotMatch",
		},
		{
			name:    "another key",
			as:      newCredentials("AKIAX", "x", ""),
			service: "s3",
			region:  "us-east-1",
			at:      now,
			status:  403,
			code:    "InvalidAccessKeyId",
		},
		{
			name:    "a token that is not ours",
			as:      newCredentials(owner.AccessKeyID, owner.SecretAccessKey, "t"),
			service: "s3",
			region:  "us-east-1",
			at:      now,
			status:  400,
			code:    "InvalidToken",
		},
		{
			name:    "another region",
			as:      owner,
			service: "s3",
			region:  "eu-west-1",
			at:      now,
			status:  400,
			code:    "AuthorizationHeaderMalformed",
		},
		{
			name:    "another service",
			as:      owner,
			service: "ec2",
			region:  "us-east-1",
			at:      now,
			status:  400,
			code:    "AuthorizationHeaderMalformed",
		},
		{
			name:    "another method",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.Method = "POST"
				r.URL.RawQuery = "uploads"
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		{
			name:    "another key in the path",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.URL.Path += "2"
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		{
			name:    "a parameter more",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.URL.RawQuery = "x-id=PutObject"
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		{
			name:    "a changed header",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("X-Amz-Meta-A", "c"),
			status:  403,
			code:    "SignatureDoesNotMatch",
		},
		{
			name:    "spaces in a header count once",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("X-Amz-Meta-A", " b   c "),
			status:  200,
		},
		{
			name:    "a header of AWS's more",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("X-Amz-Meta-C", "c"),
			status:  403,
			code:    "AccessDenied",
		},
		{
			name:    "another header more",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("Cache-Control", "no-store"),
			status:  200,
		},
		{
			name:    "another body",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("X-Amz-Content-Sha256", emptyHash),
			status:  403,
			code:    "SignatureDoesNotMatch",
		},
		{
			name:    "no hash of the body",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.Header.Del("X-Amz-Content-Sha256")
			},
			status: 400,
			code:   "InvalidRequest",
		},
		{
			name:    "no date",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.Header.Del("X-Amz-Date")
			},
			status: 403,
			code:   "AccessDenied",
		},
		{
			name:    "another scheme",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("Authorization", "Bearer x"),
			status:  400,
			code:    "InvalidArgument",
		},
		{
			name:    "version 2",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  set("Authorization", "AWS a:b"),
			status:  400,
			code:    "InvalidRequest",
		},
		{
			name:    "no signature",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  replace("Signature=", "Sign="),
			status:  400,
			code:    "AuthorizationHeaderMalformed",
		},
		{
			name:    "another day in the scope",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  replace("/20", "/19"),
			status:  400,
			code:    "AuthorizationHeaderMalformed",
		},
		{
			name:    "another terminator",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change:  replace("aws4_request", "aws5_request"),
			status:  400,
			code:    "AuthorizationHeaderMalformed",
		},
		{
			name:    "a signature in the query too",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256"
			},
			status: 400,
			code:   "InvalidArgument",
		},
		{
			name:    "none: nothing is for everybody",
			as:      owner,
			service: "s3",
			region:  "us-east-1",
			at:      now,
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
			},
			status: 403,
			code:   "AccessDenied",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, err := s.http.Do(newSignedRequest(t, s, tt.as, tt.service, tt.region, tt.at, tt.change))
			require.NoError(t, err)
			body := readBody(t, response.Body)
			require.Equal(t, tt.status, response.StatusCode, body)
			require.NotEmpty(t, response.Header.Get("X-Amz-Request-Id"))
			if tt.code != "" {
				e := parseError(t, body)
				require.Equal(t, tt.code, e.Code, body)
				require.Equal(t, response.Header.Get("X-Amz-Request-Id"), e.RequestID)
			}
		})
	}
}

// The signature of a URL for the key "a+b" must not be valid for "a b", although S3 reads a plus sign in a path as a
// space.
func TestSignatureIsForOneKey(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "a b", "secret")
	s.put(t, "a+b", "public")
	presigned, err := s3.NewPresignClient(s.Client).PresignGetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("a+b"),
	})
	require.NoError(t, err)

	response, body := s.send(t, "GET", presigned.URL, nil, nil)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, "public", body)

	// Both of these paths stand for "a b".
	for _, path := range []string{"a+b", "a%20b"} {
		response, body = s.send(t, "GET", strings.Replace(presigned.URL, "a%2Bb", path, 1), nil, nil)
		require.Equal(t, 403, response.StatusCode, path)
		require.NotContains(t, body, "secret")
	}
}

// If a request is signed for a wrong region, the error names the right one.
func TestSignatureOfOtherRegion(t *testing.T) {
	s := startServer(t, s3server.Config{}, func(o *s3.Options) {
		o.Region = "eu-west-1"
	})

	_, err := s.PutObject(t.Context(), putInput("k", "x"))

	requireFailure(t, err, 400, "AuthorizationHeaderMalformed")
	require.ErrorContains(t, err, "expecting 'us-east-1'")
	require.Empty(t, s.server.Requests()[0].Query.Get("X-Amz-Signature"))
}

// Credentials with a session token do not work without it.
func TestSignatureNeedsSessionToken(t *testing.T) {
	const token = "token"
	temporary := s3server.Credential{
		AccessKeyID:  s3server.DefaultAccessKeyID,
		SecretKey:    s3server.DefaultSecretKey,
		SessionToken: token,
	}
	s := startServer(t, s3server.Config{Credentials: []s3server.Credential{temporary}})

	_, err := s.PutObject(t.Context(), putInput("k", "x"))
	requireFailure(t, err, 403, "InvalidAccessKeyId")

	tokenClient := s.client(func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider(temporary.AccessKeyID, temporary.SecretKey, token)
	})
	_, err = tokenClient.PutObject(t.Context(), putInput("k", "x"))
	require.NoError(t, err)
}

// An upload fails and stores nothing if its body does not have the hash in the signed header X-Amz-Content-Sha256.
func TestSignatureChecksHashOfBody(t *testing.T) {
	s := startServer(t, s3server.Config{})
	owner := aws.Credentials{
		AccessKeyID:     s3server.DefaultAccessKeyID,
		SecretAccessKey: s3server.DefaultSecretKey,
	}
	r := newSignedRequest(t, s, owner, "s3", "us-east-1", time.Now(), nil)
	r.Body = io.NopCloser(strings.NewReader("jello"))

	response, err := s.http.Do(r)
	require.NoError(t, err)

	require.Equal(t, "XAmzContentSHA256Mismatch", parseError(t, readBody(t, response.Body)).Code)
	require.Empty(t, s.keys(t))
}

// Presigned URLs are verified.
func TestPresignedURL(t *testing.T) {
	type shaped = func(u url.Values, r *http.Request)
	set := func(name, value string) shaped {
		return func(q url.Values, _ *http.Request) {
			q.Set(name, value)
		}
	}
	tests := map[string]struct {
		ttl, later time.Duration
		change     shaped
		status     int
		code       string
	}{
		"right":                     {ttl: time.Minute, status: 200},
		"right, with a minute left": {ttl: time.Hour, later: 59 * time.Minute, status: 200},
		"expired": {
			ttl:    time.Minute,
			later:  2 * time.Minute,
			status: 403,
			code:   "AccessDenied",
		},
		"from the future": {
			ttl:    time.Minute,
			later:  -16 * time.Minute,
			status: 403,
			code:   "AccessDenied",
		},
		"seven days": {ttl: 7 * 24 * time.Hour, later: 6 * 24 * time.Hour, status: 200},
		"longer than seven days": {
			ttl:    7*24*time.Hour + time.Second,
			status: 400,
			code:   "AuthorizationQueryParametersError",
		},
		"a longer life than signed": {
			ttl:    time.Minute,
			later:  2 * time.Minute,
			change: set("X-Amz-Expires", "3600"),
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		"no life": {
			ttl:    time.Minute,
			change: set("X-Amz-Expires", "x"),
			status: 400,
			code:   "AuthorizationQueryParametersError",
		},
		"no signature": {
			ttl:    time.Minute,
			change: set("X-Amz-Signature", ""),
			status: 400,
			code:   "AuthorizationQueryParametersError",
		},
		"another type": {
			ttl: time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Set("Content-Type", "image/png")
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		"another length": {
			ttl: time.Minute,
			change: func(_ url.Values, r *http.Request) {
				*r = *withBody(r, "hello!")
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		"metadata that is not signed": {
			ttl: time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Set("X-Amz-Meta-A", "b")
			},
			status: 403,
			code:   "AccessDenied",
		},
		"another method": {
			ttl: time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Method = "DELETE"
				*r = *withBody(r, "")
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
		"the condition left out": {
			ttl: time.Minute,
			change: func(_ url.Values, r *http.Request) {
				r.Header.Del("If-None-Match")
			},
			status: 403,
			code:   "SignatureDoesNotMatch",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})
			input := putInput("a b+c", "")
			input.ContentType = aws.String("text/plain")
			input.ContentLength = aws.Int64(5)
			input.IfNoneMatch = aws.String("*")
			input.Body = nil
			presigned, err := s3.NewPresignClient(s.Client,
				s3.WithPresignExpires(tt.ttl)).PresignPutObject(t.Context(), input)
			require.NoError(t, err)
			s.clock.move(tt.later)
			r, err := http.NewRequestWithContext(t.Context(), presigned.Method, presigned.URL, nil)
			require.NoError(t, err)
			r = withBody(r, "hello")
			for name, values := range presigned.SignedHeader {
				if name != "Host" && name != "Content-Length" {
					r.Header[name] = values
				}
			}
			if tt.change != nil {
				query := r.URL.Query()
				tt.change(query, r)
				r.URL.RawQuery = query.Encode()
			}
			response, err := s.http.Do(r)
			require.NoError(t, err)

			body := readBody(t, response.Body)
			require.Equal(t, tt.status, response.StatusCode, body)
			if tt.code != "" {
				require.Equal(t, tt.code, parseError(t, body).Code)
			}
		})
	}
}

// Instead of a signed header, a client may send a parameter of the presigned URL. The AWS SDK for JavaScript does so:
// https://github.com/aws/aws-sdk-js-v3/issues/5414, https://github.com/minio/minio/pull/7674.
func TestPresignedURLHeaderAsParameter(t *testing.T) {
	tests := []struct {
		name              string
		header, parameter string // what the client sends, if not empty
		status            int
	}{
		{name: "the parameter only", parameter: "b  c", status: 200},
		{name: "both", header: "b  c", parameter: "b  c", status: 200},
		{name: "neither", status: 403},
		{name: "another header", header: "other", parameter: "b  c", status: 403},
		{name: "another parameter", parameter: "other", status: 403},
		{name: "the header only", header: "b  c", status: 403},
		{name: "the header, another parameter", header: "b  c", parameter: "other", status: 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startServer(t, s3server.Config{})

			// The signature is for the header and the parameter.
			target := s.server.URL + "/" + bucket + "/k?X-Amz-Expires=60"
			r, err := http.NewRequestWithContext(t.Context(), "PUT", target+"&x-amz-meta-a=b++c", nil)
			require.NoError(t, err)
			r.Header.Set("X-Amz-Meta-A", "b  c")
			owner := aws.Credentials{
				AccessKeyID:     s3server.DefaultAccessKeyID,
				SecretAccessKey: s3server.DefaultSecretKey,
			}
			signer := v4.NewSigner(func(o *v4.SignerOptions) {
				o.DisableURIPathEscaping = true
				o.DisableHeaderHoisting = true
			})
			signedURL, _, err := signer.PresignHTTP(t.Context(), owner, r, "UNSIGNED-PAYLOAD", "s3",
				"us-east-1", time.Now().UTC())
			require.NoError(t, err)

			// The client sends the header and the parameter only if the case has them.
			req, err := http.NewRequestWithContext(t.Context(), "PUT", signedURL, nil)
			require.NoError(t, err)
			query := req.URL.Query()
			require.Equal(t, "host;x-amz-meta-a", query.Get("X-Amz-SignedHeaders"))
			query.Del("x-amz-meta-a")
			if tt.parameter != "" {
				query.Set("x-amz-meta-a", tt.parameter)
			}
			req.URL.RawQuery = query.Encode()
			if tt.header != "" {
				req.Header.Set("X-Amz-Meta-A", tt.header)
			}
			response, err := s.http.Do(req)
			require.NoError(t, err)
			require.Equal(t, tt.status, response.StatusCode, readBody(t, response.Body))

			if tt.status == http.StatusOK {
				output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
					Bucket: aws.String(bucket),
					Key:    aws.String("k"),
				})
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

// A client may send the bucket's name in the host instead of the path.
func TestBucketInHost(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "content")

	// Without PathStyle, the client sends to the host photos.localhost.
	bucketClient := s.client(func(o *s3.Options) {
		o.UsePathStyle = false
		o.BaseEndpoint = aws.String(strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1))
		o.HTTPClient = &http.Client{Transport: newDialingTransport(t, s)}
	})
	output, err := bucketClient.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, "content", readBody(t, output.Body))

	// The path of the request is only the key.
	requests := s.server.Requests()
	latest := requests[len(requests)-1]
	require.True(t, strings.HasPrefix(latest.Host, bucket+".localhost:"), latest.Host)
	require.Equal(t, "/k", latest.Path)
}
